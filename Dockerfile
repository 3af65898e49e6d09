# The image of every Headroom process: `docker build -t headroom .`
# No compiler and no Java in it: what needs them (`headroom broker`, `headroom demo`) is for a person's own machine.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# Libraries first: they change less often than the source.
COPY requirements-build.lock requirements-image.lock ./
RUN python -m venv /build \
 && /build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock \
 && python -m venv /opt/headroom \
 && /opt/headroom/bin/pip install --no-cache-dir --require-hashes -r requirements-image.lock
COPY . .
# The last line fails the build where the hot functions were not compiled.
RUN /build/bin/python -m hatchling build -t wheel -d /wheels \
 && /opt/headroom/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
 && /opt/headroom/bin/python -c "import processors.compiled.ledger, processors.compiled.sfox, producers.compiled.sfox"

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --user-group --no-create-home headroom \
 && install --directory --owner headroom --group headroom --mode 0750 /data /keys
COPY --from=build /opt/headroom /opt/headroom
ENV PATH=/opt/headroom/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HEADROOM_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 6066
ENTRYPOINT ["headroom"]
CMD ["--help"]
