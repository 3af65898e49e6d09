"""docker-compose.yml and Dockerfile: read, checked, and run without a Docker engine."""
