"""Tests of Manifest Action. Being a package, it lets every test import `tests.support`, wherever pytest is started."""
