import { StrictMode, type ReactNode } from 'react';
import type { Vigil } from '../../src/core/index.js';
import { VigilProvider } from '../../src/react/index.js';

/** Everything is tested in StrictMode, whose effects run twice. */
export const around = (client: Vigil) =>
  function Around({ children }: { children: ReactNode }) {
    return (
      <StrictMode>
        <VigilProvider client={client}>{children}</VigilProvider>
      </StrictMode>
    );
  };
