# The service:   docker build -t toolkit .
#                docker run -p 127.0.0.1:8000:8000 -v ./models:/toolkit/models:ro toolkit cars_tanks/xception
# The app, which explains with Keras, too, is the same with --build-arg EXTRAS=train,predict,app; see compose.yml.
ARG PYTHON=3.11.13-slim-bookworm

FROM python:${PYTHON} AS build
ARG EXTRAS=runtime,serve
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE /source/
COPY toolkit /source/toolkit
RUN python -m venv /opt/toolkit && \
    /opt/toolkit/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        -c /source/constraints.txt "/source[${EXTRAS}]"

FROM python:${PYTHON}
COPY --from=build /opt/toolkit /opt/toolkit
ENV PATH=/opt/toolkit/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TOOLKIT_HOME=/toolkit
WORKDIR /toolkit
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib import request; request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["toolkit", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["practice/xception"]
