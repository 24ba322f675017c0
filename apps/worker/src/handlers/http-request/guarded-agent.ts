import { lookup as lookupInDns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { BlockedAddress, type AddressGuard } from './address-guard.js';

/** All addresses of a host name. */
export type Resolve = (
  host: string,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * An HTTP client that connects only where the guard lets it. Names are resolved once, every address is judged, and the
 * connection goes to a judged one: a name that resolves to something else the next time gains nothing. Redirects are
 * not followed, proxies in the environment not used.
 */
export function guardedAgent(guard: AddressGuard, resolve: Resolve = resolveInDns): Agent {
  const lookup: LookupFunction = (host, options, done) => {
    resolve(host, (error, addresses) => {
      if (error) return done(error, []);
      // One that is not public among several is no accident, so none of them is used.
      const bad = addresses.length === 0 || addresses.some(({ address }) => !guard.allows(host, address));
      if (bad) return done(new BlockedAddress(host), []);
      if (options.all) return done(null, addresses);
      const { address, family } = addresses[0]!;
      done(null, address, family);
    });
  };
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup, port: 0 });
  return new Agent({
    connect: (options, done) => {
      // lookup is not called for a host that is an address already.
      const literal = options.hostname.replace(/^\[|\]$/g, '');
      if (isIP(literal) !== 0 && !guard.allows(literal, literal)) {
        return done(new BlockedAddress(literal), null);
      }
      connect(options, done);
    },
    allowH2: false,
    connections: 100,
    maxHeaderSize: 16_384,
  });
}

function resolveInDns(host: string, done: Parameters<Resolve>[1]): void {
  lookupInDns(host, { all: true }, done);
}
