"""Where ALTER TABLE alone rewrites a table, only its key and the altered columns are compared, and a view holds the others: that nothing gets
by it, and that a script may still do whatever it could do without."""

import re

import pytest

from postgres_cluster import needs_postgres
from test_postgres_schema import BACK, MADE, NARROW, NEW, OLD, cluster, make, migrator, planned, reversible, state, version  # noqa: F401 (fixtures)

pytestmark = needs_postgres


def test_only_what_an_alter_changes_is_compared_where_it_alone_rewrites(migrator, cluster):
    script = migrator.script(NARROW)
    reversible(migrator, script)
    orders = planned(migrator)["orders"]
    assert (orders["finding"], orders["held"]) == ("digest", "id, customer, price, note, detail") and orders["view"], orders
    assert re.findall(r"extended\((?:\d+, )?([a-z]+)", orders["rest_before"]) == ["id", "qty"], orders
    assert migrator.restore(script)["status"] == "done"


def test_all_is_compared_where_the_script_alters_a_column_without_changing_its_type(migrator, cluster):
    script = migrator.script(NARROW.replace(BACK, "alter table orders alter column note type text using lower(note);\n" + BACK))
    reversible(migrator, script)
    assert migrator.restore(script)["status"] == "done", "the notes were in lower case before"
    cluster.psql("alter table orders alter column qty type bigint", f"update schema_version set version = '{NEW}'", "update orders set note = 'Note' where id = 5")
    result = migrator.restore(script)
    assert result["status"] == "failed" and "public.orders: values were changed" in result["error"], result


BEHIND = "alter table orders alter column qty type int;\ndo $$ begin if exists (select from orders) then\n  {}\nend if; end $$;\n" + BACK
UNSEEN = {
    "another column": BEHIND.format("alter table orders alter column note type text using 'x';"),
    "a column made anew": BEHIND.format("alter table orders drop column note; alter table orders add column note text;"),
    "a column that goes with all": BEHIND.format("alter table orders drop column note cascade; alter table orders add column note text;"),
    "names that change places": BEHIND.format("alter table orders rename note to old; alter table orders add column note text;"),
    "another table by its name": BEHIND.format("alter table orders rename to old; create table orders as select id, customer, qty, price, 'x' as note, detail from old;"),
    "written to": BEHIND.format("update orders set note = 'x' where id = 5;"),
    "emptied and filled": BEHIND.format("create temp table o as select * from orders; truncate orders;\n"
                                        "  insert into orders select id, customer, qty, price, 'x', detail from o;"),
    "values that change places": "alter table orders alter column qty type int using case id when 5 then 60 when 6 then 50 else qty end;\n" + BACK,
}


@pytest.mark.parametrize("change", UNSEEN)
def test_what_comparing_only_the_altered_columns_could_miss(migrator, cluster, change):
    before, script = state(cluster), migrator.script(UNSEEN[change])
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "public.orders: values were changed" in result["error"] and "(--allow-row-loss)" in result["error"], result
    assert state(cluster) == before
    allowed = migrator.restore(script, allow_row_loss=True)
    assert allowed["status"] == "done" and version(cluster) == OLD, allowed
    assert allowed["detail"].startswith("rows were lost, as allowed: public.orders: values were changed"), allowed


FLAGS = "create table flags (id int primary key, enabled boolean); insert into flags select i, i % 2 = 0 from generate_series(1, 100) i;"
NO_KEY = "create table ranks (name text, rank bigint); insert into ranks select 'n' || i, i from generate_series(1, 100) i;"
KEYS = "create table codes (code bigint primary key, name text); insert into codes select i, 'n' || i from generate_series(1, 100) i;"
PAIR = "create type pair as (a int, b text); alter table orders add column p pair; update orders set p = row(id, 'b');"
SLOTS = ("create table slots (tenant int, raw bigint, slot bigint generated always as (raw) stored, qty bigint, primary key (tenant, slot));\n"
         "insert into slots (tenant, raw, qty) select i % 2, i, i from generate_series(1, 100) i;")
CHANGED_PLACES = {
    "turned round": (FLAGS, "alter table flags alter column enabled type int using case when enabled then 0 else 1 end;\n", "public.flags"),
    "no key": (NO_KEY, "alter table ranks alter column rank type int using 101 - rank;\n", "public.ranks"),
    "the key itself": (KEYS, "alter table codes alter column code type int using 101 - code;\n", "public.codes"),
    "a key that is generated": (SLOTS, "alter table slots alter column qty type int using case raw when 2 then 4 when 4 then 2 else qty end;\n", "public.slots"),
    "in a type": (PAIR, "alter table orders alter column qty type int;\nalter type pair drop attribute b;\n", "public.orders"),
}


@pytest.mark.parametrize("case", CHANGED_PLACES)
def test_which_row_a_value_belongs_to_is_compared(make, cluster, case):
    """As many rows, and the same values: in other rows. And what goes with a type of the database's own."""
    more, sql, table = CHANGED_PLACES[case]
    migrator = make(MADE + more)
    before, script = state(cluster), migrator.script(sql + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and f"{table}: values were changed" in result["error"], result
    assert state(cluster) == before


SAVES_VIEWS = """
create table saved (ddl text);
create function save_views(rel regclass) returns void language plpgsql as $$ declare v record; begin
  for v in select distinct r.ev_class::regclass::text as name, pg_get_viewdef(r.ev_class) as said from pg_depend d join pg_rewrite r on r.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refobjid = rel loop
    insert into saved values (format('create view %s as %s', v.name, v.said)); execute 'drop view ' || v.name;
  end loop; end $$;
create function restore_views() returns void language plpgsql as $$ declare v record; begin
  for v in select * from saved loop execute v.ddl; end loop; delete from saved; end $$;
"""
TOUCHES = ("create function touch() returns trigger language plpgsql as $$ begin update orders set total = 1 where customer = new.id; return null; end $$;\n"
           "create trigger touch after update on customers for each row execute function touch();\n")
RIGHT = {
    "views are saved": "select save_views('orders');\nalter table orders alter column qty type int;\nselect restore_views();\n",
    "all views go": "do $$ declare v record; begin for v in select schemaname, viewname from pg_views where schemaname not in ('pg_catalog', 'information_schema') loop\n"
                    "  execute format('drop view %I.%I', v.schemaname, v.viewname);\nend loop; end $$;\nalter table orders alter column qty type int;\n",
    "a new column, row by row": "alter table orders alter column qty type int, add column label text;\ndo $$ declare r record; begin for r in select * from customers loop\n"
                                "  update orders set label = r.name where customer = r.id;\nend loop; end $$;\n",
    "a new column, by a trigger": "alter table orders alter column qty type int, add column total int;\n" + TOUCHES + "update customers set name = name;\n",
    "a narrower column, if there are rows": BEHIND.partition(BACK)[0].format("alter table orders alter column note type varchar(20);"),
    "written and taken back": "alter table orders alter column qty type int;\ndo $$ begin insert into orders (id, qty) values (-1, 1); raise exception 'no';\n"
                              "  exception when others then null; end $$;\n",
    "prepared": "prepare p as select 1; execute p;\nalter table orders alter column qty type int;\n",
    "copied": "create table kinds (id int, name text);\ncopy kinds from stdin;\n1\ta\\\\b\n2\t\\N\n\\.\nalter table orders alter column qty type int;\n",
}


@pytest.mark.parametrize("script", RIGHT)
def test_what_preserves_every_row_is_done_though_columns_were_to_be_held(make, cluster, script):
    migrator = make(MADE + SAVES_VIEWS)
    rows, script = cluster.psql("select md5(string_agg(concat_ws(' ', id, customer, qty, price, note), ';' order by id)) from orders"), migrator.script(RIGHT[script] + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "done" and version(cluster) == OLD, result
    assert cluster.psql("select md5(string_agg(concat_ws(' ', id, customer, qty, price, note), ';' order by id)) from orders") == rows


TRY = "create function try(ddl text) returns void language plpgsql as $$ begin execute ddl; exception when others then raise notice '%', sqlerrm; end $$;"
CAUGHT = {
    "in the script": "do $$ begin alter table orders alter column note type text; create index orders_note on orders (note);\nexception when others then null; end $$;\n",
    "only with rows": "do $$ begin if exists (select from orders) then alter table orders alter column note type varchar(20); end if;\n"
                      "  create index orders_note on orders (note); exception when others then null; end $$;\n",
    "in a function": "select try('alter table orders alter column note type text; create index orders_note on orders (note)');\n",
}


@pytest.mark.parametrize("case", CAUGHT)
def test_refusal_that_is_caught_leaves_nothing_out(make, cluster, case):
    """What stands beside it is undone with it, and shows in no column of the table."""
    migrator = make(MADE + TRY)
    script = migrator.script("alter table orders alter column qty type int;\n" + CAUGHT[case] + BACK)
    reversible(migrator, script)
    assert migrator.restore(script)["status"] == "done"
    assert cluster.psql("select to_regclass('orders_note') is not null") == "t"


def test_error_that_is_said_in_other_words(migrator, cluster):
    script = migrator.script(BEHIND.format("begin alter table orders alter column note type varchar(20); exception when others then raise exception 'step 2: %', sqlerrm; end;"))
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "done" and version(cluster) == OLD, result


def test_inherited_columns_in_another_order_than_in_the_copy(make, cluster):
    migrator = make(MADE + "create table base (id int); create table derived (w bigint, primary key (id)) inherits (base); alter table base add column v text;\n"
                    "insert into derived values (1, 1, 'v');")
    script = migrator.script("alter table derived alter column w type int;\n" + BACK)
    reversible(migrator, script)
    assert planned(migrator)["derived"]["view"]
    assert migrator.restore(script)["status"] == "done" and not any("once more" in line for line in migrator.told), migrator.told
