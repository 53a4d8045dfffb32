"""`pgweir provision`: users that [provision] sections declare are created, checked, mended and dropped."""
import psycopg
import pytest

from harness import provision
from harness.process import wait_until
from harness.provision import REFERENCE, World, age_password, can_log_in, kinds, report, run, secret_value

pytestmark = pytest.mark.ours

@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster.primary, tmp_path)
    yield made
    made.remove()


def as_user(world, dbname: str = "shop"):
    value = secret_value(world.folder / "hevo.json")
    return psycopg.connect(host=world.server.host, port=world.server.port, user=value["username"], password=value["password"],
                           dbname=dbname, autocommit=True)


@pytest.mark.parametrize("admin", ["postgres", "master"])
def test_the_reference_case_from_nothing_in_one_apply(world, start_pgweir, admin):
    planned = report(world.folder, world.sections(admin, **REFERENCE), "plan")
    assert (planned["status"], planned["state"], planned["role"]) == (0, "drifted", None)
    assert "********" in str(planned) and not (world.folder / "hevo.json").exists()
    provision.reference_case(world, admin, start_pgweir, world.folder)


FIXED = {"user": "hevo", "profile": "read-only", "owners": "migrator", "schemas": "public, stock", "connection_limit": 7,
         "settings": "statement_timeout=5min, search_path=stock", "comment": "pipes", "member_of": "pg_monitor", "replication": 1}

DRIFTS = {
    "password": ("ALTER ROLE hevo PASSWORD 'by hand'", "does not have the password"),
    "login": ("ALTER ROLE hevo NOLOGIN", "may not log in"),
    "inherit": ("ALTER ROLE hevo NOINHERIT", "does not inherit"),
    "limit": ("ALTER ROLE hevo CONNECTION LIMIT 1", "connection limit of 1"),
    "expiry": ("ALTER ROLE hevo VALID UNTIL '2100-01-01'", "VALID UNTIL"),
    "comment": ("COMMENT ON ROLE hevo IS 'mine'", "another comment"),
    "setting": ("ALTER ROLE hevo RESET statement_timeout", "statement_timeout=5min"),
    "other setting": ("ALTER ROLE hevo SET search_path = public", "search_path=stock"),
    "membership": ("REVOKE pg_monitor FROM hevo", "not a member of pg_monitor"),
    "connect": ("REVOKE CONNECT ON DATABASE shop FROM hevo", "lacks CONNECT on database shop"),
    "schema": ("REVOKE USAGE ON SCHEMA stock FROM hevo", "lacks USAGE on schema stock"),
    "table": ("REVOKE SELECT ON public.orders FROM hevo", "lacks SELECT on table public.orders"),
    "sequence": ("REVOKE SELECT ON public.orders_id_seq FROM hevo", "lacks SELECT on sequence public.orders_id_seq"),
    "future": ("ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA stock REVOKE SELECT ON TABLES FROM hevo",
               "lacks SELECT on future tables of migrator in schema stock"),
    "future sequences": ("ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public REVOKE SELECT ON SEQUENCES FROM hevo",
                         "lacks SELECT on future sequences of migrator in schema public"),
    "table of another": ("ALTER TABLE stock.items OWNER TO \"late owner\"; REVOKE ALL ON stock.items FROM hevo",
                    "lacks SELECT on table stock.items"),
    "new table": ("CREATE TABLE stock.by_another (id int)", "lacks SELECT on table stock.by_another"),
    "new sequence": ("CREATE SEQUENCE stock.numbers", "lacks SELECT on sequence stock.numbers"),
}
# name of the section's admin_user: what it declares, and what is lost of it.
OTHERS = [
    ("postgres", {"profile": "owner", "owners": "migrator", "schemas": "stock"}, {
        "REVOKE CREATE, TEMPORARY ON DATABASE shop FROM hevo": "lacks CREATE, TEMPORARY on database shop",
        "REVOKE CREATE ON SCHEMA stock FROM hevo": "lacks CREATE on schema stock",
        "REVOKE TRUNCATE, TRIGGER ON stock.items FROM hevo": "lacks TRUNCATE, TRIGGER on table stock.items",
        "REVOKE migrator FROM hevo": "not a member of migrator"}),
    ("master", {"profile": "read-write", "owners": "migrator", "replication": 1}, {
        "REVOKE DELETE ON orders FROM hevo": "lacks DELETE on table public.orders",
        "REVOKE USAGE ON SEQUENCE orders_id_seq FROM hevo": "lacks USAGE on sequence public.orders_id_seq",
        "ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public REVOKE UPDATE ON TABLES FROM hevo":
            "lacks UPDATE on future tables of migrator in schema public",
        "REVOKE rds_replication FROM hevo": "may not replicate"}),
    ("postgres", {"privileges": "SELECT, REFERENCES"}, {
        "REVOKE REFERENCES ON orders FROM hevo": "lacks REFERENCES on table public.orders"}),
    ("postgres", {"profile": "monitoring"}, {"REVOKE pg_monitor FROM hevo": "not a member of pg_monitor"}),
    ("postgres", {"profile": "replication"}, {"ALTER ROLE hevo NOREPLICATION": "may not replicate"}),
]
EXTRAS = {
    "GRANT INSERT ON public.orders TO hevo": "has INSERT on table public.orders",
    "GRANT TEMPORARY ON DATABASE shop TO hevo": "has TEMPORARY on database shop",
    "GRANT CREATE ON SCHEMA public TO hevo": "has CREATE on schema public",
    "GRANT migrator TO hevo": "is a member of migrator",
    "ALTER ROLE hevo SET work_mem = '9MB'": "has the setting work_mem=9MB",
    "ALTER ROLE hevo CREATEDB": "has the attribute CREATEDB",
    "ALTER ROLE hevo CREATEROLE": "has the attribute CREATEROLE",
    "ALTER ROLE hevo BYPASSRLS": "has the attribute BYPASSRLS",
    "ALTER ROLE hevo SUPERUSER": "has the attribute SUPERUSER",
    "ALTER ROLE hevo IN DATABASE shop SET work_mem = '3MB'": "has the setting shop: work_mem=3MB",
    "GRANT CONNECT ON DATABASE app TO hevo": "has CONNECT on database app",
    "GRANT UPDATE ON SEQUENCE public.orders_id_seq TO hevo": "has UPDATE on sequence public.orders_id_seq",
    "ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public GRANT USAGE ON SEQUENCES TO hevo":
        "has USAGE on future sequences of migrator in schema public",
    "ALTER DEFAULT PRIVILEGES FOR ROLE migrator GRANT SELECT ON TABLES TO hevo": "has SELECT on future tables of migrator in every schema",
    "ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public GRANT DELETE ON TABLES TO hevo":
        "has DELETE on future tables of migrator in schema public",
    "GRANT SELECT ON public.orders TO hevo WITH GRANT OPTION": "may grant SELECT on table public.orders to others",
    "GRANT USAGE ON SCHEMA stock TO hevo WITH GRANT OPTION": "may grant USAGE on schema stock to others",
    "GRANT CONNECT ON DATABASE shop TO hevo WITH GRANT OPTION": "may grant CONNECT on database shop to others",
    "ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA stock GRANT SELECT ON TABLES TO hevo WITH GRANT OPTION":
        "may grant SELECT on future tables of migrator in schema stock to others",
    "GRANT pg_monitor TO hevo WITH ADMIN OPTION": "may make others members of pg_monitor",
}
# Beyond the declaration, and never revoked.
STAYING = {
    "GRANT SELECT (id) ON stock.items TO hevo": "has privileges on columns of stock.items",
    "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO hevo": "has privileges on function pg_reload_conf()",
    "ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO hevo":
        "has default privileges on new functions belonging to role migrator in schema public",
    "GRANT CREATE ON TABLESPACE pg_default TO hevo": "has privileges on tablespace pg_default",
    "CREATE TABLE stock.given (); CREATE TABLE stock.given_too (); ALTER TABLE stock.given OWNER TO hevo; ALTER TABLE"
    " stock.given_too OWNER TO hevo": "owns table stock.given and 1 more in database shop",
    "ALTER DATABASE other OWNER TO hevo": "owns database other",
}


def test_drift_of_each_kind_is_found_explained_and_mended(world):
    sections = world.sections(**FIXED)
    applied = report(world.folder, sections, "apply")
    assert applied["status"] == 0, applied
    if world.version < 16:          # Otherwise the mended membership of the login is what decides, not the attribute.
        world.server.sql("ALTER ROLE hevo NOREPLICATION")
    found = kinds(report(world.folder, sections, "check"), "change")
    assert world.version >= 16 or found == ["role hevo may not replicate"]
    for statement, _ in DRIFTS.values():
        world.server.sql(statement, "shop")
    checked = report(world.folder, sections, "check")
    assert checked["status"] == 1
    for name, (_, explanation) in DRIFTS.items():
        expired = name == "password"    # A password cannot be tried while the role may not log in: mended in a second round.
        assert expired or any(explanation in what for what in kinds(checked, "change")), (name, kinds(checked, "change"))
    mended = report(world.folder, sections, "apply")
    assert (mended["status"], kinds(mended, "change", "blocked")) == (0, []), mended
    assert report(world.folder, sections, "check")["status"] == 0
    value = secret_value(world.folder / "hevo.json")
    assert can_log_in(world.server, "hevo", value["password"]) and not can_log_in(world.server, "hevo", "by hand")


def test_drift_of_other_profiles_is_found_explained_and_mended(world):
    for number, (admin, declared, lost) in enumerate(OTHERS):
        sections = world.sections(admin, **declared, user=f"hevo{number}")
        sections["secret hevo"]["path"] = world.folder / f"{number}.json"
        assert report(world.folder, sections, "apply")["status"] == 0
        for statement in lost:
            world.server.sql(statement.replace("hevo", f"hevo{number}"), "shop")
        checked = report(world.folder, sections, "check")
        found = kinds(checked, "change", "blocked")
        assert checked["status"] == 1 and len(found) == len(lost), (declared, found)
        assert all(any(what in one for one in found) for what in lost.values()), (declared, found)
        mended = report(world.folder, sections, "apply")
        assert (mended["status"], mended["changed"], kinds(mended, "change", "blocked")) == (0, len(lost), []), mended
        assert report(world.folder, sections, "check")["status"] == 0


def test_a_secret_of_another_shape_gets_the_declared_one(world):
    """The password stays what it is."""
    sections = world.sections(**FIXED)
    assert report(world.folder, sections, "apply")["status"] == 0
    path = world.folder / "hevo.json"
    password = secret_value(path)["password"]
    path.write_text(password)
    checked = report(world.folder, sections, "check")
    assert checked["status"] == 1 and any("secret_format = json" in what for what in kinds(checked, "change")), checked
    assert report(world.folder, sections, "apply")["state"] == "clean"
    assert secret_value(path)["username"] == "hevo" and secret_value(path)["password"] == password
    sections["provision hevo"]["secret_format"] = "plain"
    assert report(world.folder, sections, "check")["status"] == 1
    assert report(world.folder, sections, "apply")["state"] == "clean"
    assert path.read_text().strip() == password and report(world.folder, sections, "check")["status"] == 0


def test_what_was_granted_by_hand_is_reported_and_stays_unless_told(world):
    sections = world.sections(**FIXED)
    assert report(world.folder, sections, "apply")["status"] == 0
    for statement in EXTRAS:
        world.server.sql(statement, "shop")
    for statement in STAYING:
        world.server.sql(statement, "shop")
    try:
        for act in ("check", "apply", "check"):
            done = report(world.folder, sections, act)
            said = kinds(done, "extra")
            missing = [what for what in (*EXTRAS.values(), *STAYING.values()) if not any(what in one for one in said)]
            assert done["status"] == 0 and missing == [], said
        sections["provision hevo"]["extra"] = "revoke"
        assert report(world.folder, sections, "check")["status"] == 1
        done = report(world.folder, sections, "apply")
        # And what a setting says for one database only.
        assert done["status"] == 0 and len(kinds(done, "extra")) == len(STAYING) + 1, done
    finally:
        world.server.sql("ALTER DATABASE other OWNER TO other")


def test_a_role_that_is_gone_comes_back_with_the_password_it_had(world):
    sections = world.sections(**FIXED, valid_for="30d", rotate_every="10d")
    assert report(world.folder, sections, "apply")["status"] == 0
    before = secret_value(world.folder / "hevo.json")
    for statement in ("ALTER ROLE hevo VALID UNTIL '2100-01-01'", "ALTER ROLE hevo VALID UNTIL 'infinity'", "DROP OWNED BY hevo",
                      "DROP ROLE hevo", "ALTER ROLE hevo VALID UNTIL '2001-01-01'", "ALTER ROLE hevo VALID UNTIL 'tomorrow'"):
        world.server.sql(statement, "shop")
        if statement != "DROP OWNED BY hevo":
            assert report(world.folder, sections, "check")["status"] == 1, statement
            assert report(world.folder, sections, "apply")["state"] == "clean", statement
    assert secret_value(world.folder / "hevo.json") == before and can_log_in(world.server, "hevo", before["password"])
    # A password whose time is over is no longer anybody's: only another one helps.
    age_password(world, 31 * 86400)
    world.server.sql("ALTER ROLE hevo VALID UNTIL '2001-01-01'")
    expired = report(world.folder, sections, "apply")
    assert expired["status"] == 1 and kinds(expired, "blocked") == ["the password of role hevo has expired: rotate it"]
    assert report(world.folder, sections, "rotate", "hevo")["status"] == 0
    assert report(world.folder, sections, "check")["status"] == 0


def test_the_user_whose_turn_is_over_may_expire(world):
    sections = world.sections(user="hevo", profile="read-only", owners="migrator", valid_for="30d", rotate_every="20d",
                              strategy="alternating")
    assert report(world.folder, sections, "apply")["status"] == 0
    assert report(world.folder, sections, "rotate", "hevo")["rotated"]
    world.server.sql("ALTER ROLE hevo VALID UNTIL '2001-01-01'")
    assert report(world.folder, sections, "check")["status"] == 0
    assert report(world.folder, sections, "rotate", "hevo")["rotated"]
    value = secret_value(world.folder / "hevo.json")
    assert value["username"] == "hevo" and can_log_in(world.server, "hevo", value["password"])


HOSTILE = ["o'hara \\ \"q\"; DROP ROLE master; --", "ü" * 31 + "x", "x '********'"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_taken_exactly(world, name):
    sections = world.sections(user=name, profile="read-only", owners="migrator", comment=name)
    world.server.sql("ALTER SYSTEM SET log_statement = 'all'")
    world.server.sql("SELECT pg_reload_conf()")
    try:
        assert report(world.folder, sections, "apply")["status"] == 0
        value = secret_value(world.folder / "hevo.json")
        assert value["username"] == name and can_log_in(world.server, name, value["password"])
        rotated = report(world.folder, sections, "rotate", "hevo")
        new = secret_value(world.folder / "hevo.json")
        assert rotated["status"] == 0 and new["password"] != value["password"] and can_log_in(world.server, name, new["password"])
        assert report(world.folder, sections, "check")["status"] == 0
        dropped = report(world.folder, sections, "drop", "hevo", "--yes")
        assert dropped["status"] == 0, dropped
        assert world.server.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", parameters=[name]) == []
        log = world.server.log_file.read_text()
        assert "SCRAM-SHA-256$" in log and value["password"] not in log and new["password"] not in log
    finally:
        world.server.sql("ALTER SYSTEM RESET log_statement")
        world.server.sql("SELECT pg_reload_conf()")


def in_list(*items: str) -> str:
    """A list of an ini file whose items are quoted as names are in SQL."""
    listed = ", ".join('"' + item.replace('"', '""') + '"' for item in items)
    return "'" + listed.replace("'", "''") + "'"


def test_names_in_lists_may_hold_anything(world):
    """63 bytes with commas, quotes, backslashes and more in a database, a schema, an owner, a group and a search_path."""
    name = "a, 'b' \"c\" \\ ; = .x" + "ü" * 22
    assert len(name.encode()) == 63
    admin = psycopg.sql.Identifier(name)
    for statement, dbname in (("CREATE ROLE {}", "shop"), ("GRANT {} TO master WITH ADMIN OPTION", "shop"),
                              ("CREATE SCHEMA {} AUTHORIZATION {}", "shop"), ("CREATE TABLE {}.one AS SELECT 1", "shop"),
                              ("ALTER TABLE {}.one OWNER TO {}", "shop"), ("CREATE DATABASE {} OWNER master", "postgres")):
        world.server.sql(psycopg.sql.SQL(statement).format(*[admin] * statement.count("{}")), dbname)
    sections = world.sections("master", user="hevo", profile="read-only", database=in_list(name, "shop"), schemas=in_list(name, "public"),
                              owners=in_list("migrator", name), member_of=in_list(name),
                              settings=in_list(f'search_path = "{name.replace(chr(34), chr(34) * 2)}", public', "Work_Mem=7MB"))
    try:
        applied = report(world.folder, sections, "apply")
        # The other database has no schema of that name.
        assert [step for step in applied["steps"] if step["kind"] in ("change", "blocked") and step["database"] != name] == [], applied
        assert applied["databases"] == [name, "shop"]
        again = report(world.folder, sections, "apply")
        assert (again["changed"], kinds(again, "change", "extra")) == (0, []), again
        with as_user(world) as connection:
            assert connection.execute("SELECT * FROM one").fetchall() == [(1,)]
            assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
            world.server.sql(psycopg.sql.SQL("SET ROLE {0}; CREATE TABLE {0}.two ()").format(admin), "shop")
            connection.execute("SELECT * FROM two")
        as_user(world, name).close()
        assert report(world.folder, sections, "drop", "hevo", "--yes")["status"] == 0
    finally:
        world.server.sql(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(admin))


def test_hostile_passwords_are_set_exactly(world):
    """A secret that its owner has written by hand is what counts."""
    sections = world.sections(**FIXED)
    assert report(world.folder, sections, "apply")["status"] == 0
    path = world.folder / "hevo.json"
    for password in ("it's \\ \"q\" %s $1 ÄÖ", "'********'"):
        value = {**secret_value(path), "password": password}
        path.write_text(provision.json.dumps(value))
        assert report(world.folder, sections, "apply")["status"] == 0
        assert can_log_in(world.server, "hevo", password)


@pytest.mark.parametrize("method, stored", [("md5", "md5"), ("scram-sha-256", "SCRAM-SHA-256")])
def test_a_server_that_is_set_to_md5_gets_what_lets_the_user_in(world, method, stored):
    """md5 as it is told, but SCRAM where its pg_hba.conf takes nothing else; a warning either way."""
    rules = world.server.data / "pg_hba.conf"
    before = rules.read_text()
    sections = world.sections(user="hevo", profile="read-only", owners="migrator")
    world.server.sql("ALTER SYSTEM SET password_encryption = 'md5'")
    rules.write_text(f"host all hevo 127.0.0.1/32 {method}\n{before}")
    world.server.sql("SELECT pg_reload_conf()")
    try:
        for act in (("apply",), ("rotate", "hevo")):
            done = report(world.folder, sections, *act)
            assert (done["status"], done["state"]) == (0, "clean"), done
            value = secret_value(world.folder / "hevo.json")
            assert can_log_in(world.server, "hevo", value["password"])
            assert world.server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'hevo'")[0][0].startswith(stored), act
        again = report(world.folder, sections, "apply")
        assert (again["status"], again["changed"]) == (0, 0) and any("password_encryption is md5" in what for what in kinds(again, "warning"))
        assert value["password"] not in world.server.log_file.read_text()
    finally:
        rules.write_text(before)
        world.server.sql("ALTER SYSTEM RESET password_encryption")
        world.server.sql("SELECT pg_reload_conf()")


@pytest.mark.parametrize("admin", ["postgres", "master"])
def test_drop_wants_to_be_sure_and_leaves_nothing(world, admin):
    sections = world.sections(admin, user="hevo", profile="owner", owners="migrator", schemas="public, stock")
    assert report(world.folder, sections, "apply")["status"] == 0
    with as_user(world) as connection:
        connection.execute("CREATE TABLE public.left_behind (id int)")
        refused = report(world.folder, sections, "drop", "hevo", "--yes")
        assert refused["status"] == 1 and any("left_behind" in what for what in kinds(refused, "blocked"))
        asked = report(world.folder, sections, "drop", "hevo", "--reassign-to", "migrator")
        assert asked["status"] == 1 and "with --yes" in asked["progress"]
        assert any("a session of hevo is open" in what for what in kinds(asked, "warning"))
        connection.execute("SELECT 1")
        done = report(world.folder, sections, "drop", "hevo", "--yes", "--reassign-to", "migrator")
        assert done["status"] == 0, done
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert world.server.sql("SELECT rolname FROM pg_roles WHERE rolname = 'hevo'") == []
    assert world.server.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'left_behind'", "shop") == [("migrator",)]
    assert not (world.folder / "hevo.json").exists()
    back = report(world.folder, sections, "apply")
    assert back["status"] == 0 and secret_value(world.folder / "hevo.json")["username"] == "hevo"


def test_the_least_privileges_suffice(world):
    provision.least_privileges_suffice(world)


def test_what_cannot_be_done_is_said_and_the_rest_is_done(world):
    world.server.sql("CREATE TABLE stock.of_the_superuser (id int)", "shop")
    sections = world.sections("master", user="hevo", profile="read-only", schemas="public, stock, nowhere",
                              owners="migrator, nobody", member_of="no_such_role", database="shop, no_such_database")
    applied = report(world.folder, sections, "apply")
    blocked = kinds(applied, "blocked")
    assert applied["status"] == 1 and kinds(applied, "change") == []
    for wanted in ("of_the_superuser", "schema nowhere", "owner nobody", "no_such_role", "no_such_database"):
        assert any(wanted in what for what in blocked), (wanted, blocked)
    with as_user(world) as connection:
        connection.execute("SELECT * FROM stock.items")


def test_changes_that_others_make_at_the_same_moment_are_waited_for(world):
    """The server ends the one that comes second with "tuple concurrently updated"; it is tried again."""
    sections = world.sections(user="hevo", profile="read-only", connection_limit=5)
    assert report(world.folder, sections, "apply")["status"] == 0
    world.server.sql("ALTER ROLE hevo CONNECTION LIMIT 2")
    with world.server.connect() as other:
        other.execute("BEGIN")
        other.execute("ALTER ROLE hevo CONNECTION LIMIT 3")
        running = provision.start(world.folder, "apply")
        wait_until(lambda: world.server.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgweir provision'"
                                            " AND wait_event_type = 'Lock'"), 30, "it waits for the other")
        other.execute("COMMIT")
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 0 and "tuple concurrently updated: trying again" in said
    assert world.server.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'hevo'") == [(5,)]


def test_bad_usage_and_bad_declarations_say_why(world):
    sections = world.sections(user="hevo", privileges="SELECT, FLY")
    assert '"FLY" is none of tables or sequences' in run(world.folder, sections, "plan").stdout
    assert run(world.folder, sections, "fly").returncode == 2
    assert run(world.folder, sections, "rotate").returncode == 2
    assert run(world.folder, sections, "plan", "nobody").returncode == 1
    sections = world.sections(user="postgres")
    assert "is the admin_user" in run(world.folder, sections, "apply").stdout
    sections = world.sections(user="hevo", strategy="alternating", secret_format="plain")
    assert "needs secret_format = json" in run(world.folder, sections, "plan").stdout
    (world.folder / "hevo.json").write_text("somebody else's")
    refused = run(world.folder, world.sections(user="hevo"), "apply")
    assert refused.returncode == 1 and "does not touch it" in refused.stdout
    assert (world.folder / "hevo.json").read_text() == "somebody else's"
