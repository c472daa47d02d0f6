import { en, type Dictionary } from './en';
import { es } from './es';
import type { Language } from './language';

/** All texts, by language. */
export const dictionaries: Record<Language, Dictionary> = { en, es };
