# docker build -t dshub . && docker run --rm -v dshub:/data dshub fetch mnist
# docker run --rm -p 8000:8000 -v dshub:/data dshub serve --host 0.0.0.0
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels ".[fast,cloud,sign]"

FROM python:3.13-slim
RUN --mount=from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels "dshub[fast,cloud,sign]" \
    && useradd --create-home dshub && install -d -o dshub /data
USER dshub
ENV DSHUB_CACHE=/data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["dshub"]
CMD ["--help"]
