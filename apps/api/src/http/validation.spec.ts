import { expect, test } from '@jest/globals';
import { validateSync } from 'class-validator';
import fc from 'fast-check';
import { SettlementDto } from '../leases/settle.dto.js';
import { RegisterDto } from '../socket/messages/register.message.js';
import { SubmitTaskDto } from '../tasks/submit-task.dto.js';
import { UNKNOWN_FIELD } from './rule.js';
import { check } from './validation.js';
import { planOf } from './validation-plan.js';

const DTOS = [SubmitTaskDto, SettlementDto, RegisterDto];

test('the fields that are refused are those that class-validator refuses', () => {
  fc.assert(
    fc.property(fc.constantFrom(...DTOS).chain(bodyOf), ({ dto, body }) => {
      const { value, faults } = check(dto as new () => object, body);
      // That a field is not known it is not asked about.
      const broken = faults.filter(({ detail }) => detail !== UNKNOWN_FIELD);
      const fields = broken.map(({ pointer }) => pointer.split('/')[1]);
      expect(new Set(fields)).toEqual(new Set(validateSync(value).map(({ property }) => property)));
    }),
    { numRuns: 1_000 },
  );
});

/** Some fields right, most wrong in some way. */
function bodyOf(dto: new () => object): fc.Arbitrary<{ dto: new () => object; body: object }> {
  const fields = [...planOf(dto).fields].map(([key, { nested }]) => [
    key,
    nested
      ? fc.oneof(
          anyValue,
          bodyOf(nested).map(({ body }) => body),
        )
      : anyValue,
  ]);
  return fc
    .record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] })
    .map((body) => ({ dto, body }));
}

const anyValue = fc.oneof(
  fc.constantFrom('emails', 'emails~1', 'high', 'complete', 'fail', '5s', '2026-12-24T18:00:00Z', 1, 3, true),
  fc.constantFrom(null, {}, [], ['a'], { a: 'b' }, 'not a name', -1, undefined),
);
