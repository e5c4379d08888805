"""GitHub Actions, and the systems that speak its language (Gitea, Forgejo)."""
