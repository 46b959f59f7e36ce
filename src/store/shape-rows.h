/* The rows of Field tables. */
#pragma once

#include "store/shape.h"

#define ROW(kind, object, member, column, ...)                                                                         \
        {                                                                                                              \
                .name = column, .type = kind, .offset = offsetof(object, member),                                      \
                .size = sizeof(((object *)0)->member), __VA_ARGS__                                                     \
        }
#define INT64(object, member, column) ROW(FIELD_INT64, object, member, column, )
#define NUMBER(object, member, column, limit) ROW(FIELD_NUMBER, object, member, column, .max = limit)
#define BOOL(object, member, column) ROW(FIELD_BOOL, object, member, column, )
#define TEXT(object, member, column) ROW(FIELD_TEXT, object, member, column, )
#define WORD(object, member, column, table) ROW(FIELD_WORD, object, member, column, .words = &(table))
#define END                                                                                                            \
        { 0 }
