import path from 'node:path';
import type { NextConfig } from 'next';

const config: NextConfig = {
  // The client package is a link to ../../client, which the bundler follows only below its root.
  turbopack: { root: path.join(import.meta.dirname, '../..') },
  poweredByHeader: false,
  devIndicators: false,
  // The policy of what pages may load is in proxy.ts.
  async headers() {
    return [{
      source: '/:path*',
      headers: [
        { key: 'X-Content-Type-Options', value: 'nosniff' },
        { key: 'X-Frame-Options', value: 'DENY' },
        { key: 'Referrer-Policy', value: 'same-origin' },
        { key: 'Permissions-Policy', value: 'camera=(), geolocation=(), microphone=()' },
      ],
    }];
  },
};

export default config;
