import { StrictMode, type ReactNode } from 'react';
import { VigilProvider } from '../../src/react/index.js';
import type { FakeVigil } from './fake.js';

/** Everything is tested in StrictMode, whose effects run twice. */
export const around = (client: FakeVigil) =>
  function Around({ children }: { children: ReactNode }) {
    return (
      <StrictMode>
        <VigilProvider client={client}>{children}</VigilProvider>
      </StrictMode>
    );
  };
