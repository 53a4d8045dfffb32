"""Schema migrations as applications run them, through transaction mode: Alembic and Django."""
import subprocess

import pytest

from harness.postgres import PASSWORDS
from harness.process import run

pytestmark = pytest.mark.pooler
PYTHON = "/usr/bin/python3"             # Where the packages are, whatever runs the tests.


def importable(module: str) -> bool:
    return subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode == 0


def environment(proxy) -> dict[str, str]:
    return {"PGHOST": proxy.host, "PGPORT": str(proxy.port), "PGUSER": "app", "PGPASSWORD": PASSWORDS["app"],
            "PGDATABASE": proxy.database("app"), "PGSSLMODE": "require"}


@pytest.fixture
def schema(pgweir):
    """A schema of the test's own, first in the role's search_path by a setting that has to follow the client."""
    def sql(text: str) -> None:
        pgweir.connect("app").execute(text)

    sql("DROP SCHEMA IF EXISTS migrated CASCADE")
    sql("CREATE SCHEMA migrated")
    yield "migrated"
    sql("DROP SCHEMA migrated CASCADE")


ALEMBIC_ENV = """
from alembic import context
from sqlalchemy import create_engine, text
engine = create_engine("postgresql+psycopg2://", connect_args={"options": "-c search_path=migrated"})
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
ALEMBIC_FIRST = """
revision, down_revision = "a1", None
from alembic import op
import sqlalchemy as sa
def upgrade():
    op.create_table("account", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.bulk_insert(sa.table("account", sa.column("name", sa.Text)), [{"name": "first"}, {"name": "second"}])
def downgrade():
    op.drop_table("account")
"""
ALEMBIC_SECOND = """
revision, down_revision = "b2", "a1"
from alembic import op
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("account_name", "account", ["name"], postgresql_concurrently=True)
def downgrade():
    op.drop_index("account_name", "account")
"""


@pytest.mark.skipif(not importable("alembic"), reason="python3-alembic is not installed")
def test_alembic_upgrades_and_downgrades(pgweir, schema, tmp_path):
    folder = tmp_path / "alembic"
    (folder / "versions").mkdir(parents=True)
    for name, text in (("env.py", ALEMBIC_ENV), ("versions/a1.py", ALEMBIC_FIRST), ("versions/b2.py", ALEMBIC_SECOND)):
        (folder / name).write_text(text)
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}\n")

    def alembic(*arguments) -> str:
        return run([PYTHON, "-m", "alembic.config", "-c", tmp_path / "alembic.ini", *arguments], env=environment(pgweir)).stdout

    alembic("upgrade", "head")
    client = pgweir.connect("app")
    assert client.execute("SELECT count(*) FROM migrated.account").fetchone() == (2,)
    assert client.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'migrated.account_name'::regclass").fetchone() == (True,)
    assert "b2 (head)" in alembic("current")
    alembic("downgrade", "base")
    assert client.execute("SELECT to_regclass('migrated.account')").fetchone() == (None,)


DJANGO = """
import os, django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", USE_TZ=True, INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
                           "OPTIONS": {"options": "-c search_path=migrated"}}})
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
call_command("migrate", verbosity=0)
User.objects.create_user("someone")
call_command("migrate", verbosity=0)
print(User.objects.count())
call_command("migrate", "auth", "zero", verbosity=0)
"""


@pytest.mark.skipif(not importable("django"), reason="python3-django is not installed")
def test_django_migrates_forth_and_back(pgweir, schema, tmp_path):
    script = tmp_path / "migrate.py"
    script.write_text(DJANGO)
    assert run([PYTHON, script], env=environment(pgweir)).stdout.strip() == "1"
    client = pgweir.connect("app")
    assert client.execute("SELECT to_regclass('migrated.auth_user'), to_regclass('migrated.django_migrations') IS NOT NULL").fetchone() == (None, True)
