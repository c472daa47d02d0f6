'use client';

import type { Session } from '@vigilhq/client';
import { useMemo, useSyncExternalStore } from 'react';
import { useWords } from './i18n';

const TICK = 15_000; // milliseconds; relative times are in minutes

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One timer for all that show a relative time. */
const minute = {
  subscribe(listener: () => void) {
    listeners.add(listener);
    timer ??= setInterval(() => listeners.forEach((tell) => tell()), TICK);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  },
  snapshot: () => Math.floor(Date.now() / TICK) * TICK,
};

/** Formats are costly to make, so those of a language are made once. */
const formats = new Map<string, ReturnType<typeof makeFormats>>();

function formatsOf(language: string) {
  const made = formats.get(language) ?? makeFormats(language);
  formats.set(language, made);
  return made;
}

const makeFormats = (language: string) => ({
  relativeFormat: new Intl.RelativeTimeFormat(language, { numeric: 'auto' }),
  dateTimeFormat: new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }),
  timeFormat: new Intl.DateTimeFormat(language, { timeStyle: 'short' }),
  weekdayFormat: new Intl.DateTimeFormat(language, { weekday: 'short', hour: 'numeric', minute: 'numeric' }),
  countries: new Intl.DisplayNames(language, { type: 'region', fallback: 'code' }),
});

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** What is shown of times, places and devices, in the chosen language; relative times move on by themselves. */
export function useFormat() {
  const { t, language } = useWords();
  const tick = useSyncExternalStore(minute.subscribe, minute.snapshot, minute.snapshot);
  return useMemo(() => {
    const { relativeFormat, dateTimeFormat, timeFormat, weekdayFormat, countries } = formatsOf(language);

    const country = (code: string) => countries.of(code) ?? code;
    /** `Chrome 142 on Windows 11`. */
    const software = ({ device: { browser, os, type } }: Session): string =>
      browser && os ? t.sessions.onDevice(browser, os) : browser || os || t.devices[type];
    return {
      /** `3 minutes ago`. */
      relative(iso: string): string {
        const age = Math.max(tick, Date.now()) - Date.parse(iso);
        for (const [unit, length] of UNITS) {
          if (Math.abs(age) >= length) return relativeFormat.format(-Math.trunc(age / length), unit);
        }
        return t.justNow;
      },
      dateTime: (iso: string | number) => dateTimeFormat.format(new Date(iso)),
      /** The time of day, with the day of the week if that is not today's. For what is less than a week away. */
      until(ms: number): string {
        const at = new Date(ms);
        return (at.toDateString() === new Date(tick).toDateString() ? timeFormat : weekdayFormat).format(at);
      },
      minutes: (ms: number) =>
        new Intl.NumberFormat(language, { style: 'unit', unit: ms < 60_000 ? 'second' : 'minute', unitDisplay: 'long' }).format(
          Math.round(ms / (ms < 60_000 ? 1_000 : 60_000)),
        ),
      number: (n: number) => n.toLocaleString(language),
      country,
      /** The name that the device was given, or what runs on it. */
      device: (session: Session): string => session.device.name || software(session),
      software,
      /** A kind of device as events tell it, such as `Chrome on Windows`. */
      kind(device: string): string {
        const [browser = '', os] = device.split(' on ');
        return os ? t.sessions.onDevice(browser, os) : browser;
      },
      /** `Mexico City, Mexico`. */
      place(session: Session): string {
        if (session.location) return [session.location.city, country(session.location.country)].filter(Boolean).join(', ');
        return LOOPBACK.test(session.ipAddress) ? t.localNetwork : t.unknownPlace;
      },
      /** Whether the last activity is so fresh that it counts as now. */
      isFresh: (iso: string) => Math.max(tick, Date.now()) - Date.parse(iso) < 60_000,
    };
  }, [language, t, tick]);
}
