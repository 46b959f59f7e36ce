"""What PostgreSQL's own hashes leave out of a value, and the digest must not."""

import json

import pytest

from postgres_cluster import needs_postgres
from test_postgres_schema import BACK, MADE, OLD, cluster, make, reversible, state, version  # noqa: F401 (fixtures)

pytestmark = needs_postgres

TYPES = {
    "a sign": ("numeric", "5", "-5"),
    "a sign, with a scale": ("numeric(10, 2)", "'0.07'", "'-0.07'"),
    "a weight": ("numeric", "5", "50000"),
    "no number": ("numeric", "'NaN'", "null"),
    "infinity": ("numeric", "'Infinity'", "'-Infinity'"),
    "infinity and no number": ("numeric", "'Infinity'", "'NaN'"),
    "zero": ("double precision", "0", "null"),
    "zero, short": ("real", "null", "0"),
    "numeric zero": ("numeric", "0", "null"),
    "32 bits": ("bigint", "4294967295", "-1"),
    "33 bits": ("bigint", "4294967296", "1"),
    "an object's end": ("jsonb", """'{"a": {"b": 1}, "c": 2}'""", """'{"a": {"b": 1, "c": 2}}'"""),
    "an array's end": ("jsonb", "'[[1], 2]'", "'[[1, 2]]'"),
    "an array around it": ("jsonb", "'1'", "'[1]'"),
    "a sign within": ("jsonb", """'{"a": 5}'""", """'{"a": -5}'"""),
    "a month": ("interval", "'1 month'", "'30 days'"),
    "the shape of an array": ("int[]", "'{1,2,3,4}'", "'{{1,2},{3,4}}'"),
    "where an array begins": ("int[]", "'{1,2}'", "'[0:1]={1,2}'"),
    "no element": ("float8[]", "'{0}'", "'{NULL}'"),
    "a zone": ("timetz", "'12:00+00'", "'13:00+01'"),
    "endless": ("timestamptz", "'infinity'", "'-infinity'"),
    "no date": ("date", "'infinity'", "null"),
    "false": ("boolean", "false", "null"),
    "nothing": ("bytea", "''", "null"),
    "empty": ("text", "''", "null"),
    "a range's end": ("numrange", "'[1,2)'", "'[1,2]'"),
    "how long a prefix is": ("cidr", "'10.0.0.0/8'", "'10.0.0.0/16'"),
    "another object": ("aclitem", "'postgres=r/postgres'", "'postgres=w/postgres'"),
}


@pytest.mark.parametrize("case", TYPES)
def test_what_a_hash_leaves_out_of_a_value(make, cluster, case):
    type_, old, new = TYPES[case]
    migrator = make(MADE + f"create table t (id int primary key, v {type_}); insert into t values (1, {old}), (2, {new});")
    before, script = state(cluster), migrator.script(f"update t set v = {new} where id = 1;\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "public.t: values were changed" in result["error"], result
    assert state(cluster) == before


MANY = "create table t (a {0}, b {0}, c {0}, d {0}); insert into t values ({1});"
TOGETHER = {
    "zero and NULL": ("numeric", "0, 1, null, 1", "a = null, c = 0"),
    "all NULL": ("double precision", "null, null, null, null", "a = 0, b = 0, c = 0"),
    "all NULL, numeric": ("numeric", "null, null, null, null", "a = 0, b = 0, c = 0, d = 0"),
    "the scale of two": ("numeric", "5, 7, 1, 1", "a = 50000, b = 70000"),
    "the scale of all": ("numeric", "0.0005, 0.0007, 0.0003, 0.0001", "a = a * 10000, b = b * 10000, c = c * 10000, d = d * 10000"),
    "two signs": ("numeric", "5, -5, 1, 1", "a = -5, b = 5"),
    "empty ones": ("jsonb", "'{}', '[]', '{}', '[]'", "a = '[]', b = '{}'"),
    "columns that change places": ("bigint", "1, 2, 3, 4", "a = 2, b = 1"),
    "all by their own number": ("bigint", "2, 1, 4, 3", "a = 4, b = 3, c = 2, d = 1"),
    "two flags": ("boolean", "true, false, true, null", "a = false, b = true"),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_columns_that_change_together(make, cluster, case):
    type_, old, change = TOGETHER[case]
    migrator = make(MADE + MANY.format(type_, old))
    before, script = state(cluster), migrator.script(f"update t set {change};\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "public.t: values were changed" in result["error"], result
    assert state(cluster) == before


def test_number_that_is_cut_to_fit(make, cluster):
    """4294967295 becomes -1: the half that a bigint's hash is folded to is the same."""
    migrator = make(MADE + "create table t (id int primary key, v bigint); insert into t values (1, 4294967295), (2, 7);")
    before, script = state(cluster), migrator.script("alter table t alter column v type int using v::bit(32)::int;\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "public.t: values were changed" in result["error"], result
    assert state(cluster) == before


ODD = ["%s", "a%1$Ib", "it's", 'q"q', "back\\slash", "a:id", ":nc_rows_before", "%", "{}", "x; select 1", "line\nfeed", "ü"]


def test_names_that_could_be_taken_for_something_else(make, cluster):
    def quoted(name):
        return '"' + name.replace('"', '""') + '"'

    columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in zip(ODD, ["numeric", "bigint", "date", "text", "jsonb", "timestamptz"] * 2))
    migrator = make(MADE + f"create table {quoted('t%s')} (id bigint primary key, {columns}); insert into {quoted('t%s')} (id) values (1);")
    script = migrator.script(f"alter table {quoted('t%s')} alter column id type int;\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "done", result


SAME = ["bool", "bytea", '"char"', "name", "bigint", "smallint", "int", "text", "oid", "json", "jsonb", "xml", "point", "real", "double precision", "money", "macaddr", "inet",
        "cidr", "char(4)", "varchar(4)", "date", "time", "timestamp", "timestamptz", "interval", "timetz", "bit(3)", "varbit", "numeric", "numeric(10,2)", "uuid", "tsvector",
        "int4range", "nummultirange", "pg_lsn", "xid", "xid8", "tid", "int[]", "numeric[]", "own_enum", "own_domain", "own_row", "regclass", "macaddr8", "oidvector", "int2vector"]


@pytest.mark.parametrize("add", ["alter table t add column more int default 1;", "alter table t drop column gone;", "update t set gone = 2;"], ids=["added", "dropped", "written"])
def test_values_of_all_types_that_stay_are_the_same(make, cluster, add):
    columns = ", ".join(f"c{i} {type_}" for i, type_ in enumerate(SAME))
    script = add + "\nalter table t add column by_rewriting uuid default gen_random_uuid();\n" + BACK
    migrator = make(MADE + "create type own_enum as enum ('a'); create domain own_domain as numeric; create type own_row as (a int, b text);\n"
                    f"create table t (id int primary key, {columns}, gone int);\n"
                    "insert into t (id) values (1);\n"
                    "insert into t (id, c0, c1, c4, c7, c10, c13, c19, c21, c24, c29, c41) values (2, true, '\\x00', -1, 'ü', '{\"b\": 1.0}', -0.0, 'a', '2000-01-01', 'infinity', 'NaN', 'a');")
    path = migrator.script(script)
    answer = migrator.gate(path, allow_row_loss="drop" in add)
    assert answer["verdict"] == "reversible", answer
    result = migrator.restore(path, allow_row_loss="drop" in add)
    if "gone = 2" in add:
        assert result["status"] == "failed" and "public.t: values were changed" in result["error"], result
    else:
        assert result["status"] == "done" and "t: values" not in result["detail"], result


@pytest.mark.parametrize("type_", ["numeric", "bigint", "date", "jsonb"])
def test_as_many_columns_as_there_can_be(make, cluster, type_):
    migrator = make(MADE + f"create table t (id bigint, {', '.join(f'c{i} {type_}' for i in range(1500))}); insert into t (id) values (1);")
    script = migrator.script("alter table t alter column id type int;\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "done", result


def test_table_without_columns(make, cluster):
    migrator = make(MADE + "create table t (); insert into t default values; insert into t default values;")
    script = migrator.script("alter table t add column a uuid default gen_random_uuid();\n" + BACK)
    reversible(migrator, script)
    assert migrator.restore(script)["status"] == "done"


def test_plan_of_an_older_program_is_rehearsed_anew(make, cluster):
    """Its SQL meant something else: it would fail, or say less, when nothing serves any more."""
    migrator = make()
    script = migrator.script("alter table orders alter column qty type int;\n" + BACK)
    reversible(migrator, script)
    [path] = (migrator.state / "schema").glob("plan-*.json")
    plan = json.loads(path.read_text())
    plan.pop("form", None)
    for table in plan["tables"]:
        table.update(before="id, qty", after="id, qty", held=None)
    path.write_text(json.dumps(plan))
    result = migrator.restore(script)
    assert result["status"] == "done" and version(cluster) == OLD, result


def test_digits_that_the_database_does_not_show(make, cluster):
    migrator = make(MADE + "create table t (id int primary key, v float8[]); insert into t values (1, '{1}'); alter database novacron set extra_float_digits = 0;")
    script = migrator.script("update t set v = '{1.0000000000000002}' where id = 1;\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "public.t: values were changed" in result["error"], result
