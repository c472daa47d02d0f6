import type { components } from './openapi.js';

/**
 * The bodies of the service's requests and answers, by their names in its description (`vigil openapi`):
 * `vigil.request<Schemas['EventList']>('GET', '/v1/events')`.
 */
export type Schemas = components['schemas'];
