"""What pgweir shows over HTTP."""
import http.client
import json
import re

SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)",?')


class Web:
    def __init__(self, port: int):
        self.port = port

    def get(self, path: str, method: str = "GET", **headers) -> tuple[int, dict, bytes]:
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def status(self, path: str) -> int:
        return self.get(path)[0]

    def text(self, path: str, **headers) -> str:
        status, _, body = self.get(path, **headers)
        assert status == 200, body
        return body.decode()

    def json(self) -> dict:
        return json.loads(self.text("/status.json"))

    def metrics(self) -> dict[str, dict]:
        """name -> labels' values (one as it is, several as a tuple) -> value. Buckets of histograms are left out."""
        found: dict[str, dict] = {}
        for line in self.text("/metrics").splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.fullmatch(line).groups()
            values = tuple(value for _, value in LABEL.findall(labels or ""))
            if not name.endswith("_bucket"):
                found.setdefault(name, {})[values if len(values) != 1 else values[0]] = float(value)
        return found
