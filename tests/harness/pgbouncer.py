"""Debian's PgBouncer behind the same interface, to show that a test can run through a pooler at all."""
import shutil
import signal
import subprocess

from .pgweir import Pgweir, ini, userlist
from .process import die_with_parent, end, give_away, remove_folder, unprivileged, wait_until

# Keys of ours that PgBouncer 1.18 does not have.
UNKNOWN = {"threads", "http_listen", "health_listen", "http_user", "http_password", "metrics_max_pools", "metrics_per_user",
           "drain_delay", "drain_timeout", "max_server_conn", "fleet_size",
           "transaction_timeout", "max_prepared_statements", "login_threads", "log_format", "log_level", "proxy_protocol",
           "auth_plain_without_tls"}
PER_DATABASE = {"host", "port", "dbname", "user", "password", "pool_size", "min_pool_size", "reserve_pool", "auth_user",
                "pool_mode", "connect_query", "max_db_connections"}


class PgBouncer(Pgweir):
    def write(self) -> None:
        main = {key: value for key, value in self.sections["pgweir"].items() if key not in UNKNOWN}
        self._own_key(main)
        # It has no TLS per database, as [cluster] sections do for us.
        databases = {}
        for title, body in self.sections.items():
            if title.startswith("database "):
                if "cluster" in body:
                    body = {**body, **self._first_host(body["cluster"], main)}
                databases[title.removeprefix("database ")] = " ".join(
                    f"{key}='{value}'" for key, value in body.items() if key in PER_DATABASE)
        sections = {"databases": databases, "pgbouncer": {"ignore_startup_parameters": "extra_float_digits,options", **main}}
        auth_file = self.folder / "userlist.txt"
        auth_file.write_text(userlist(self.users))
        self.ini_path.write_text(ini(sections))
        for path in (self.folder, auth_file, self.ini_path, self.log_path):
            path.touch()
            give_away(path)

    def _own_key(self, main: dict) -> None:
        """It runs as another user, who may not read the tests' keys."""
        for name in ("client_tls_key_file", "server_tls_key_file"):
            if name in main:
                copy = self.folder / f"{name}.key"
                shutil.copy(main[name], copy)
                give_away(copy)
                main[name] = copy

    def _first_host(self, cluster: str, main: dict) -> dict:
        section = self.sections[f"cluster {cluster}"]
        main.update({key: value for key, value in section.items() if key.startswith("server_tls")})
        host, port = section["hosts"].split(",")[0].strip().split(":")
        return {"host": host, "port": port}

    def sanitized(self) -> bool:
        return False

    def start(self, wait: bool = True) -> "PgBouncer":
        self.write()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(["pgbouncer", str(self.ini_path)], stdout=log, stderr=log, cwd=self.folder,
                                            preexec_fn=die_with_parent(signal.SIGKILL), **unprivileged())
        if wait:
            wait_until(self._accepts, 20, "PgBouncer accepts connections")
        return self

    def stop(self, timeout_s: float = 15) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            end(process, signal.SIGTERM, timeout_s)
            remove_folder(self.folder)

    def admin(self, user: str = "admin", database: str = "pgbouncer", **more):
        return super().admin(user, database, **more)
