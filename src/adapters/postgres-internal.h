/* What the files of the PostgreSQL adapter share. */
#pragma once

#include "adapters/adapter.h"
#include "adapters/postgres-query.h"

extern const DataDriver postgres_data_driver;
