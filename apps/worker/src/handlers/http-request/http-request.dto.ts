import {
  IsIn,
  IsObject,
  IsOptional,
  MaxLength,
  Validate,
  ValidatorConstraint,
  type ValidationArguments,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { parseDurationMs } from '@app/runtime';

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export const REQUEST_TIMEOUT_MS_MAX = 300_000;

@ValidatorConstraint({ name: 'requestUrl' })
class RequestUrl implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    if (typeof value !== 'string' || !URL.canParse(value)) return false;
    const { protocol, username, password, hostname } = new URL(value);
    return /^https?:$/.test(protocol) && username === '' && password === '' && hostname !== '';
  }

  defaultMessage(): string {
    return 'url must be an absolute http or https URL without user name and password';
  }
}

/** Headers that say how this connection works, or whom it is with: those are for the client to set. */
const REFUSED_HEADERS =
  /^(host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length|expect|http2-settings)$/i;

@ValidatorConstraint({ name: 'requestHeaders' })
class RequestHeaders implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    const entries = Object.entries(value);
    return entries.length <= 64 && entries.every(([name, text]) => isHeader(name, text));
  }

  defaultMessage(): string {
    return 'headers must be at most 64 names with text, in the characters HTTP allows, none of Host, Content-Length and the hop-by-hop headers';
  }
}

function isHeader(name: string, text: unknown): boolean {
  return (
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/.test(name) &&
    !REFUSED_HEADERS.test(name) &&
    typeof text === 'string' &&
    // Anything below a space would begin another header or end the head.
    /^[\t\x20-\x7e\x80-\xff]{0,8192}$/.test(text)
  );
}

@ValidatorConstraint({ name: 'requestTimeout' })
class RequestTimeout implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    try {
      const ms = parseDurationMs(String(value));
      return ['number', 'string'].includes(typeof value) && ms >= 1 && ms <= REQUEST_TIMEOUT_MS_MAX;
    } catch {
      return false;
    }
  }

  defaultMessage(): string {
    return 'timeout must be milliseconds or a duration such as 30s, from 1ms to 5m';
  }
}

@ValidatorConstraint({ name: 'requestBody' })
class RequestBody implements ValidatorConstraintInterface {
  validate(value: unknown, { object }: ValidationArguments): boolean {
    const { method = 'GET' } = object as HttpRequestPayload;
    return value === undefined || !['GET', 'HEAD'].includes(method);
  }

  defaultMessage(): string {
    return 'body must be left out where method is GET or HEAD';
  }
}

/** The payload of `http.request`. */
export class HttpRequestPayload {
  @MaxLength(8_192)
  @Validate(RequestUrl)
  url!: string;

  /** Default: GET. */
  @IsOptional()
  @IsIn(METHODS)
  method?: (typeof METHODS)[number];

  /** By name, each once. */
  @IsOptional()
  @IsObject()
  @Validate(RequestHeaders)
  headers?: Record<string, string>;

  /** Text is sent as it is, anything else as JSON with that content type unless `headers` names one. */
  @Validate(RequestBody)
  body?: unknown;

  /** From connecting to the end of the answer, in ms or as a duration such as `30s`. Default: 30 s. At most 5 min. */
  @IsOptional()
  @Validate(RequestTimeout)
  timeout?: number | string;
}
