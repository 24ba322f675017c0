import { BlockList, isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { PermanentError } from '@app/queue';

/** The request was for an address it may not reach. */
export class BlockedAddress extends PermanentError {
  constructor(host: string) {
    super(`${host} is not a public address, and HTTP_REQUEST_ALLOW does not name it.`, 'blocked-address');
  }
}

/** Decides which addresses may be connected to: public ones, and those an operator allowed. */
export class AddressGuard {
  readonly #names = new Set<string>();
  readonly #networks = new BlockList();

  /** @param allow networks in CIDR notation, addresses, and host names, which are allowed whatever they resolve to */
  constructor(allow: readonly string[] = []) {
    for (const item of allow) {
      const [address, bits] = item.split('/') as [string, string?];
      const family = isIP(address);
      if (family === 0) this.#names.add(plainName(item));
      else this.#networks.addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), familyName(family));
    }
  }

  /** Whether a connection that was asked for by `host` may go to `address`, an IP address without brackets. */
  allows(host: string, address: string): boolean {
    return isPublicAddress(address) || this.#names.has(plainName(host)) || this.#isAllowed(address);
  }

  #isAllowed(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && !address.includes('%') && this.#networks.check(address, familyName(family));
  }
}

/**
 * Whether an IP address belongs to the public Internet, by the registries of special-purpose addresses. Addresses that
 * hold an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo) are not, except for mapped ones, which are
 * judged as what they map.
 */
export function isPublicAddress(address: string): boolean {
  // A zone says on which interface; nothing public needs one.
  if (isIP(address) === 0 || address.includes('%')) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === 'ipv4') return parsed.range() === 'unicast';
  const v6 = parsed as ipaddr.IPv6;
  if (v6.isIPv4MappedAddress()) return v6.toIPv4Address().range() === 'unicast';
  // Everything that IANA gave out for the Internet is in 2000::/3.
  return v6.parts[0]! >> 13 === 1 && v6.range() === 'unicast';
}

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

function familyName(family: number): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}
