import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { InvalidPayload } from '@app/queue';

/** Makes a function that turns a payload into an instance of `dto`. @throws InvalidPayload naming every fault */
export function payloadParser<P extends object>(dto: new () => P): (payload: unknown) => P {
  return (given) => {
    // Where every field is optional, nothing is a payload too.
    const payload = given === undefined ? {} : given;
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw new InvalidPayload('The payload must be a JSON object.');
    }
    const value = plainToInstance(dto, payload);
    const faults = validateSync(value, {
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      validationError: { target: false, value: false },
    }).flatMap((error) => faultsOf(error, ''));
    if (faults.length === 0) return value;
    throw new InvalidPayload(`The payload is not valid: ${faults[0]!.detail}.`, faults);
  };
}

interface Fault {
  /** JSON pointer into the payload. */
  pointer: string;
  detail: string;
}

function faultsOf({ property, constraints = {}, children = [] }: ValidationError, parent: string): Fault[] {
  const pointer = `${parent}/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  // A wrong type before what follows from it: "must be an integer" says more than "must not be greater than".
  const byType = Object.entries(constraints).sort(
    ([a], [b]) => Number(b.startsWith('is')) - Number(a.startsWith('is')),
  );
  const own = byType.map(([, detail]) => ({ pointer, detail }));
  return [...own, ...children.flatMap((child) => faultsOf(child, pointer))];
}
