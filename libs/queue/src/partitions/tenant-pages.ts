import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { TenantOverview, TenantPage } from '../core/ports/inspector.js';
import { sizeClass } from '../core/size-class.js';

/** Where tenants come from, those with many open tasks first. */
export interface TenantSource {
  read(limit: number, cursor?: string): Promise<TenantPage>;
  /** Whether a tenant of this source is to be shown. */
  shows(tenant: string): boolean;
}

/** Where a source goes on: after a cursor of its own, empty at its beginning; null at its end. */
type Place = string | null;

/**
 * One page of the tenants of several sources, in the order of their numbers. The cursor holds a place in every source,
 * each of which is read as far as a page can need.
 *
 * @throws QueueError `invalid-cursor`
 */
export async function mergeTenantPages(
  sources: readonly TenantSource[],
  limit: number,
  cursor?: string,
): Promise<TenantPage> {
  const places = cursor === undefined ? sources.map((): Place => '') : decode(cursor, sources.length);
  // One more: of each source one tenant at least, the default one, is not shown.
  const most = Math.min(limit + 1, LIMITS.listLimitMax);
  const pages = await Promise.all(places.map((place, i) => readAt(sources[i]!, place, most)));
  const candidates = pages.flatMap(({ items }, source) =>
    items.map((item, index) => ({ item, source, index, shown: sources[source]!.shows(item.tenant) })),
  );
  // What comes after a source's last tenant read may come after some that it has not shown yet.
  const known = pages.flatMap(({ items, nextCursor }) => (nextCursor === undefined ? [] : items.slice(-1)));
  const page = candidates
    .filter(({ item, shown }) => shown && known.every((last) => compareTenants(item, last) <= 0))
    .sort((a, b) => compareTenants(a.item, b.item))
    .slice(0, limit);

  const next = await Promise.all(
    places.map((place, i) => {
      const mine = candidates.filter(({ source }) => source === i);
      const held = mine.find((candidate) => candidate.shown && !page.includes(candidate));
      return placeAfter(sources[i]!, place, pages[i]!, held ? held.index : mine.length);
    }),
  );
  const items = page.map(({ item }) => item);
  return next.every((place) => place === null) ? { items } : { items, nextCursor: encode(next) };
}

async function readAt(source: TenantSource, place: Place, limit: number): Promise<TenantPage> {
  return place === null ? { items: [] } : source.read(limit, place || undefined);
}

/** The place after the first `used` tenants of a page. */
async function placeAfter(
  source: TenantSource,
  place: Place,
  page: TenantPage,
  used: number,
): Promise<Place> {
  if (used === page.items.length) return page.nextCursor ?? null;
  if (used === 0) return place;
  // Only the source itself can say where it stands after so many.
  return (await readAt(source, place, used)).nextCursor ?? null;
}

function compareTenants(a: TenantOverview, b: TenantOverview): number {
  const size = (tenant: TenantOverview) => sizeClass(tenant.backlog + tenant.running);
  return size(b) - size(a) || (a.tenant < b.tenant ? 1 : a.tenant > b.tenant ? -1 : 0);
}

function encode(places: readonly Place[]): string {
  return Buffer.from(JSON.stringify(places)).toString('base64url');
}

function decode(cursor: string, count: number): Place[] {
  try {
    const places: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const good = Array.isArray(places) && places.length === count;
    if (good && places.every((place) => place === null || typeof place === 'string')) return places;
  } catch {
    // Falls through: not one of ours.
  }
  throw new QueueError('invalid-cursor');
}
