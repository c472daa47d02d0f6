import { expectTypeOf, test } from 'vitest';
import type { EndReason, Schemas, SecurityAlert, Session, VigilError } from '../src/core/index.js';

// The compiler is what fails here: `tsc`, as part of `npm run check`.
test('the types written by hand are those of the service’s description', () => {
  expectTypeOf<Session>().toEqualTypeOf<Schemas['Session']>();
  expectTypeOf<EndReason>().toEqualTypeOf<Schemas['Reason']>();
  expectTypeOf<Schemas['Alert']>().toExtend<SecurityAlert>();
  expectTypeOf<Schemas['Problem']>().toExtend<Pick<VigilError['details'], 'reason' | 'maxAge' | 'requestId' | 'errors'>>();
});
