# The gateway: HTTP in front of an engine that runs elsewhere. It has no JAX.
#   docker build -f infra/containers/gateway.Dockerfile -t gateway:0.1.0 .
# The base is pinned by its version; pin it by digest too where you build: --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.12.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv --without-pip /opt/tradewind
COPY infra/containers/requirements/build.txt infra/containers/requirements/gateway.txt ./
RUN pip install --no-cache-dir -r build.txt \
    && pip --python /opt/tradewind/bin/python install --no-cache-dir -r gateway.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY sharding sharding
COPY serving serving
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/tradewind/bin/python install --no-cache-dir --no-deps /wheels/*.whl

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 tradewind \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/tradewind --shell /usr/sbin/nologin tradewind \
    && install -d -o 10001 -g 10001 /var/lib/tradewind
COPY --from=build /opt/tradewind /opt/tradewind
ENV PATH=/opt/tradewind/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/tradewind \
    XDG_CACHE_HOME=/var/lib/tradewind/cache \
    TRADEWIND_DATA_DIR=/var/lib/tradewind \
    TRADEWIND_SERVER__HOST=0.0.0.0 \
    TRADEWIND_SERVER__EMBEDDINGS=false \
    TRADEWIND_SERVER__RETRIEVAL=false
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as http; http.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["tradewind", "serve"]
CMD ["--engine-address", "engine:9100"]
