import type { ApiPropertyOptions } from '@nestjs/swagger';

/** The field `nextCursor` of every page, as documented. */
export const nextCursor: ApiPropertyOptions = {
  description: 'Where the next page begins; null at the end.',
  type: 'string',
  nullable: true,
  example: null,
};
