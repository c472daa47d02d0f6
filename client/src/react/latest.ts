'use client';

import { useEffect, useRef, type RefObject } from 'react';

/** The value of the latest render that has been committed, for what is called later. */
export function useLatest<T>(value: T): RefObject<T> {
  const ref = useRef(value);
  useEffect(() => {
    ref.current = value;
  });
  return ref;
}
