/** Pages that Apache and Jetty put in front of iControl REST: a client that parses every answer as JSON breaks on them. */
import type { Answer } from './answer.ts';

/** While mcpd restarts. The wording is what tools look for. */
export const restartingPage: Answer = page(
  503,
  'Configuration Utility restarting...',
  '<h2>Configuration Utility restarting...</h2><p>This page will reload when it is ready.</p>',
);

/** Jetty gave up waiting; the write behind it may have taken effect. */
export const timeoutPage: Answer = page(
  500,
  'Error 500 AsyncContext timeout',
  '<h2>HTTP ERROR 500</h2><p>Reason: AsyncContext timeout</p><hr><i><small>Powered by Jetty://</small></i>',
);

/** Apache refuses a name and password before anything else sees the call. */
export const unauthorizedPage: Answer = page(
  401,
  '401 F5 Authorization Required',
  '<h1>F5 Authorization Required</h1><p>This server could not verify that you are authorized to access the document requested.</p>',
);

export const badRequestPage: Answer = page(
  400,
  '400 Bad Request',
  '<h1>Bad Request</h1><p>Your browser sent a request that this server could not understand.</p>',
);

export const targetTooLongPage: Answer = page(
  414,
  '414 Request-URI Too Long',
  "<h1>Request-URI Too Long</h1><p>The requested URL's length exceeds the capacity limit for this server.</p>",
);

export const notFoundPage: Answer = page(
  404,
  '404 Not Found',
  '<h1>Not Found</h1><p>The requested URL was not found on this server.</p>',
);

function page(status: number, title: string, body: string): Answer {
  return {
    form: 'html',
    status,
    html: `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body>${body}</body></html>\n`,
  };
}
