"""pgweir with an /etc/hosts of its own."""
import os
import subprocess

import pytest

from .pgweir import Pgweir

NAME = "database.test"


def may_unshare() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


needs_namespace = pytest.mark.skipif(not may_unshare(), reason="needs a mount namespace")


class Renaming(Pgweir):
    def __init__(self, hosts_file, sections):
        super().__init__(sections)
        self.hosts_file = hosts_file

    def command(self):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                f"mount --bind {self.hosts_file} /etc/hosts && exec {' '.join(super().command())}"]
