import type { IncomingHttpHeaders } from 'node:http';
import { failure, type RpcFailure } from './errors.ts';

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

export interface GuardOptions {
  /** Host names (no port) beyond loopback under which this server is known. */
  readonly allowedHosts: readonly string[];
  /** Origins, `https://name[:port]`, beyond the server's own. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Keeps browsers of other sites out (SCENARIOS 89): a page that reached this port through a name of its own (DNS
 * rebinding) shows in Host, a page of another site in Origin or Sec-Fetch-Site.
 *
 * @returns null when the request may go on
 */
export function checkHostAndOrigin(headers: IncomingHttpHeaders, options: GuardOptions): RpcFailure | null {
  const host = (headers.host ?? '').toLowerCase();
  const name = host.replace(/:\d+$/, '');
  if (!LOOPBACK_HOSTS.includes(name) && !options.allowedHosts.includes(name)) {
    return failure(
      'forbidden_origin',
      'host_not_allowed',
      'this host name is not one of the node',
      'Use http://127.0.0.1, or add the name to the allowed hosts of the node.',
    );
  }
  const { origin } = headers;
  const ownOrigin = origin === `http://${host}` || origin === `https://${host}`;
  if (origin !== undefined && !ownOrigin && !options.allowedOrigins.includes(origin)) {
    return failure('forbidden_origin', 'origin_not_allowed', 'pages of this origin may not call the node');
  }
  if (origin === undefined && headers['sec-fetch-site'] === 'cross-site') {
    return failure('forbidden_origin', 'origin_not_allowed', 'pages of other sites may not call the node');
  }
  return null;
}

/** The bearer token of a request: the Authorization header, or for browsers' WebSockets a subprotocol. */
export function bearerToken(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  if (authorization !== undefined) return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(text => text.trim());
  const session = offered.find(text => text.startsWith(SESSION_SUBPROTOCOL));
  return session === undefined ? null : session.slice(SESSION_SUBPROTOCOL.length);
}

/** The WebSocket subprotocol, and the prefix under which a browser offers its token (it cannot set headers). */
export const SUBPROTOCOL = 'phaseline.rpc.1';
const SESSION_SUBPROTOCOL = 'phaseline.session.';
