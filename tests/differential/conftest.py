import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))


def pytest_configure(config):
    config.pluginmanager.import_plugin("harness.plugin")
