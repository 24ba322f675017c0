/** The items of a list, page by page, from its beginning to its end. Any of them may be empty. */
export async function* pagesOf<Item>(
  read: (cursor?: string) => Promise<{ items: Item[]; nextCursor?: string }>,
): AsyncGenerator<Item[], void, undefined> {
  let cursor: string | undefined;
  do {
    const { items, nextCursor } = await read(cursor);
    yield items;
    cursor = nextCursor;
  } while (cursor !== undefined);
}
