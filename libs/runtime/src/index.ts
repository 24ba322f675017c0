export { backendSettings, type BackendSettings, chooseBackends } from './config/backend.js';
export { ConfigError, type ConfigProblem } from './config/config-error.js';
export { parseDurationMs, showDurationMs } from './config/duration.js';
export {
  boolean,
  duration,
  hostPorts,
  integer,
  list,
  oneOf,
  port,
  showHostPort,
  string,
  url,
  type HostPort,
} from './config/kinds.js';
export { logLevels, processSettings, type ProcessSettings } from './config/process.js';
export { readSettings, type Environment, type ReadSettingsOptions } from './config/read-settings.js';
export { describeRedis, redisSettings, type RedisSettings } from './config/redis.js';
export { listening, type ListenAddress } from './listening.js';
export { renderSettings } from './config/render-settings.js';
export { setting, type Setting, type SettingKind, type SettingOptions } from './config/setting.js';
export { defineSettings, type SettingsOf, type SettingsTable } from './config/settings-table.js';
export { createHealthServer, type HealthServer, type HealthServerOptions } from './health-server.js';
export {
  checkHealth,
  type HealthCheck,
  type HealthCheckReport,
  type HealthCheckResult,
  type HealthOptions,
  type HealthReport,
} from './health.js';
export { createLogger, type Logger, type LoggerOptions } from './log.js';
export { exitCodes, main } from './main.js';
export {
  metricPrefix,
  metricsCatalog,
  renderMetricsCatalog,
  type MetricRecord,
  type MetricsCatalog,
} from './metrics/catalog.js';
export { createMetrics, type Metrics, type MetricsOptions } from './metrics/registry.js';
export { NestLogger } from './nest-logger.js';
export { serializeError, type SerializedError } from './serialize-error.js';
export { onShutdown, type Shutdown, type ShutdownOptions, type ShutdownStep } from './shutdown.js';
export { VERSION } from './version.js';
