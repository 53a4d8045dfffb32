"""What pgweir's system tests stand on: real PostgreSQL servers, the proxy under test, and a raw protocol client."""
