import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parent)]


def pytest_configure(config):
    config.pluginmanager.import_plugin("harness.plugin")
