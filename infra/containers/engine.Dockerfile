# The engine: a model on its devices, reached by gRPC. ACCELERATOR is cpu, cuda or tpu.
#   docker build -f infra/containers/engine.Dockerfile --build-arg ACCELERATOR=tpu -t engine-tpu:0.1.0 .
# The base is pinned by its version; pin it by digest too where you build: --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.12.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ARG ACCELERATOR=cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv --without-pip /opt/tradewind
COPY infra/containers/requirements/build.txt infra/containers/requirements/engine-${ACCELERATOR}.txt ./
RUN pip install --no-cache-dir -r build.txt \
    && pip --python /opt/tradewind/bin/python install --no-cache-dir -r "engine-${ACCELERATOR}.txt"
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
COPY infra/containers/engine_health.py /opt/tradewind/
# CUDA itself comes with JAX's wheels; the driver's libraries are where Kubernetes mounts them, if it does.
ENV PATH=/opt/tradewind/bin:${PATH} \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/tradewind \
    XDG_CACHE_HOME=/var/lib/tradewind/cache \
    TRADEWIND_DATA_DIR=/var/lib/tradewind
USER 10001:10001
EXPOSE 9100
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "/opt/tradewind/engine_health.py", "127.0.0.1:9100"]
ENTRYPOINT ["tradewind", "engine"]
CMD ["--listen", "0.0.0.0:9100"]
