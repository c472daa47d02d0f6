'use client';

import { createContext, useContext, useMemo, useState, type ReactNode } from 'react';
import { LANGUAGE_COOKIE } from '../config';
import { dictionaries } from './dictionaries';
import type { Dictionary } from './en';
import type { Language } from './language';

interface Words {
  /** The texts in the chosen language. */
  t: Dictionary;
  language: Language;
  setLanguage(language: Language): void;
}

const WordsContext = createContext<Words | null>(null);

/** Provides the texts. The server knows the language from a cookie, so the first paint is right. */
export function LanguageProvider({ initial, children }: { initial: Language; children: ReactNode }) {
  const [language, setState] = useState(initial);
  const words = useMemo<Words>(
    () => ({
      t: dictionaries[language],
      language,
      setLanguage(next) {
        document.cookie = `${LANGUAGE_COOKIE}=${next}; path=/; max-age=31536000; SameSite=Lax`;
        document.documentElement.lang = next;
        setState(next);
      },
    }),
    [language],
  );
  return <WordsContext value={words}>{children}</WordsContext>;
}

export function useWords(): Words {
  const words = useContext(WordsContext);
  if (!words) throw new Error('useWords is called outside LanguageProvider');
  return words;
}
