# The worker's image: an init, Node, the bundle, and the few Debian libraries they need. No package manager, no npm, no sources.
#   docker build -t model-generator .                        the worker
#   docker build -t model-generator-rehearsal --target rehearsal .   with the fal simulator, for trials only
#   docker run --rm --entrypoint busybox model-generator tar -C /app -c clients | tar -x      what callers install: clients/*.whl

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY scripts/npm scripts/npm
RUN --mount=type=cache,target=/root/.npm npm ci
COPY rolldown.config.ts tsconfig.json ./
COPY src src
RUN npm run build

# What runs: Node without its symbols, what it is linked to, and the bundle.
FROM build AS root
RUN apt-get update && apt-get install -y --no-install-recommends binutils busybox-static tini \
 && rm -rf /var/lib/apt/lists/*
RUN set -eu; mkdir -p /root-fs; cd /root-fs \
 && mkdir -p app etc proc sys dev run tmp usr/bin usr/local/bin usr/sbin var/lib/dpkg/status.d \
 && chmod 1777 tmp \
 && for link in bin sbin lib lib64; do mkdir -p "usr/$link"; ln -s "usr/$link" "$link"; done \
 && node=/usr/local/bin/node \
 && strip --strip-unneeded -o usr/local/bin/node "$node" && chmod 755 usr/local/bin/node \
 && ldd "$node" | awk '/\/lib/ { print ($2 == "=>") ? $3 : $1 }' | while read -r file; do \
      mkdir -p ".$(dirname "$file")"; cp -L "$file" ".$file"; done \
 && cp /usr/bin/tini-static usr/bin/tini \
 # a shell for the operator's `docker compose exec`, and the env that starts the bundle
 && cp /bin/busybox usr/bin/busybox \
 && for tool in sh env cat ls ps top wget nslookup nc df free id kill; do ln -s busybox "usr/bin/$tool"; done \
 && cp /etc/os-release etc/os-release \
 && printf 'root:x:0:0::/:/bin/sh\nworker:x:10001:10001::/app:/bin/sh\n' >etc/passwd \
 && printf 'root:x:0:\nworker:x:10001:\n' >etc/group \
 && printf 'hosts: files dns\n' >etc/nsswitch.conf \
 # so that scanners see which Debian packages the files are from
 && for package in libc6 libstdc++6 libgcc-s1 tini busybox-static; do dpkg -s "$package" >"var/lib/dpkg/status.d/$package"; done \
 && cp /build/dist/*.mjs app/ && chmod 755 app/model-generator.mjs \
 # the decoder of pictures, and the pictures that the simulator draws
 && mkdir app/node_modules && for package in sharp @img detect-libc semver; do \
      cp -r "/build/node_modules/$package" app/node_modules/; done \
 && ln -s /app/model-generator.mjs usr/local/bin/model-generator
# Compiled code of the bundle, so that a start and each health check need less of the processor. Node keeps it by user.
# The folders of the volumes, which a volume takes its owner from.
RUN install -d -o 10001 -g 10001 /root-fs/app/cache /root-fs/var/lib/model-generator/media /root-fs/var/lib/model-generator/console \
 && NODE_COMPILE_CACHE=/app/cache chroot --userspec=10001:10001 /root-fs /usr/local/bin/node /app/model-generator.mjs --version

# What callers of the workers use: the Python package as a wheel, the JSON Schema, the TypeScript type.
FROM node:22-bookworm-slim AS clients
RUN apt-get update && apt-get install -y --no-install-recommends python3-setuptools python3-wheel \
 && rm -rf /var/lib/apt/lists/*
COPY clients /build/clients
WORKDIR /build/clients/python
RUN mkdir /clients && cp ../model-generator.schema.json ../model-generator.d.ts /clients/ \
 && SOURCE_DATE_EPOCH=1577836800 python3 -c 'from setuptools.build_meta import build_wheel; build_wheel("/clients")'

# For trials and rehearsals: the fal simulator.
FROM scratch AS rehearsal
COPY --from=root /root-fs /
ENV NODE_ENV=production PATH=/usr/local/bin:/usr/bin:/usr/sbin
USER 10001:10001
WORKDIR /app
ENTRYPOINT ["tini", "--", "model-generator"]
CMD ["fal-simulator", "--host", "0.0.0.0"]

FROM scratch AS worker
COPY --from=root /root-fs /
COPY --from=clients /clients /app/clients
# 1024 of the container's 1536 MB: a leak ends in a clear heap error in the log, not in a silent kill by the kernel.
# No debugger for whoever sends SIGUSR1, from the first instruction on.
# One malloc arena for all threads: 4 MB less at rest.
ENV NODE_ENV=production \
    NODE_OPTIONS="--max-old-space-size=1024 --disable-sigusr1" \
    NODE_COMPILE_CACHE=/app/cache \
    MALLOC_ARENA_MAX=1 \
    PATH=/usr/local/bin:/usr/bin:/usr/sbin
USER 10001:10001
WORKDIR /app
EXPOSE 9101
STOPSIGNAL SIGTERM
# PID 1 cannot be killed from inside its container, not even by the worker's own watchdog: so PID 1 is an init.
ENTRYPOINT ["tini", "--", "model-generator"]
CMD ["worker"]
# It gives up by itself after 3 s; the rest is for its start on a machine that is busy.
HEALTHCHECK --interval=15s --timeout=10s --start-period=45s --start-interval=2s --retries=2 \
  CMD ["model-generator", "health", "--self"]
