# syntax=docker/dockerfile:1
#
# One build, two images: docker build --target api -t fairlane-api . (or --target worker).
#
# The base is pinned by tag. To pin it by content as well, so that a rebuild gives the same system, ask the registry with
#   docker buildx imagetools inspect node:20.19.5-bookworm-slim --format '{{.Manifest.Digest}}'
# and build with --build-arg NODE_IMAGE=node:20.19.5-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:20.19.5-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Packages first: this layer changes only with the lock file. No package of ours needs its install script.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-fund --no-audit --include=dev
COPY nest-cli.json tsconfig.json ./
COPY tools ./tools
COPY libs ./libs
COPY apps ./apps
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-fund --no-audit

FROM ${NODE_IMAGE} AS runtime
ENV NODE_ENV=production
WORKDIR /app
# Owned by root and not writable by the process: what runs cannot change itself.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532

FROM runtime AS api
# Beyond loopback the API refuses to start without FAIRLANE_API_KEYS, unless FAIRLANE_AUTH=off says so outright.
ENV HOST=0.0.0.0 PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/apps/api/src/main.js"]

FROM runtime AS worker
# Health and metrics must be reachable from outside the container; nothing there needs a key.
ENV WORKER_HOST=0.0.0.0 WORKER_PORT=3001
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WORKER_PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/apps/worker/src/main.js"]
