/** What went wrong with a Redis, in words of ours: its own may repeat what it was sent. */
export interface RedisFailure {
  message: string;
  hint: string;
}

const GOES_ON = 'Nothing is lost: answers come from the other tiers meanwhile.';

/** By the first word of what a server answers, or the code of what the system says. */
const KNOWN: Record<string, [what: string, hint: string]> = {
  ECONNREFUSED: ['cannot be reached: nobody listens there', 'Start it, or mend REDIS_URL.'],
  ENOTFOUND: ['cannot be reached: there is no such host', 'Mend the host in REDIS_URL.'],
  EAI_AGAIN: ['cannot be reached: its name was not found for now', 'Mend the host in REDIS_URL, or the network.'],
  EPROTO: ['does not speak TLS there', 'Write redis:// instead of rediss://, or use its TLS port.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['shows a certificate of its own', 'Add ?ca=/path/ca.pem to REDIS_URL.'],
  SELF_SIGNED_CERT_IN_CHAIN: ['shows a certificate that nobody here trusts', 'Add ?ca=/path/ca.pem to REDIS_URL.'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'shows a certificate that nobody here trusts',
    'Add ?ca=/path/ca.pem to REDIS_URL.',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: ['shows the certificate of another host', 'Use the host name that it names.'],
  ENOENT: ['cannot be asked: the file of ?ca= is not there', 'Mend ?ca= in REDIS_URL.'],
  NOAUTH: ['asks for a password', 'Write it in REDIS_URL: redis://user:password@host:6379.'],
  WRONGPASS: ['refuses the user or the password', 'Mend them in REDIS_URL; write special characters as %XX.'],
  NOPERM: ['does not let this user do that', 'Allow it GET, SET, DEL, EVAL and PING on keys strata:*.'],
  OOM: ['is full and takes nothing more', 'Set maxmemory-policy to allkeys-lru, or give it more memory.'],
  READONLY: ['is a replica that takes no writes', 'Name the primary in REDIS_URL.'],
  MISCONF: ['takes no writes since it cannot save to its disk', 'Look at its disk, or turn its snapshots off.'],
  LOADING: ['is starting', 'Wait a moment.'],
  MOVED: ['is a node of a cluster', 'Write redis+cluster:// (or rediss+cluster://) in REDIS_URL.'],
  CLUSTERDOWN: ['is a cluster that is down', 'Look at its nodes with `redis-cli --cluster check`.'],
  MAXCLIENTS: ['has no connection left', 'Raise its maxclients.'],
};

/** What is known of a failure; never quotes the error's own text. */
export function readFailure(error: unknown, label: string): RedisFailure {
  const {
    message = '',
    code = '',
    lastNodeError,
  } = (error ?? {}) as {
    message?: string;
    code?: string;
    lastNodeError?: unknown;
  };
  if (lastNodeError) return readFailure(lastNodeError, label);
  if (/cluster support disabled/i.test(message)) return told(label, 'is no cluster', 'Write redis:// in REDIS_URL.');
  if (/max number of clients/i.test(message)) return told(label, ...(KNOWN.MAXCLIENTS as [string, string]));
  if (/DB index is out of range/i.test(message))
    return told(label, 'has no database of that number', 'Mend the number that REDIS_URL ends with.');
  // A password that is asked for by servers older than 6, or by HELLO, comes without a code of its own.
  if (/^ERR invalid password|^ERR AUTH/i.test(message)) return told(label, ...(KNOWN.WRONGPASS as [string, string]));
  const word = /^-?([A-Z][A-Z0-9_]{2,40})\b/.exec(message)?.[1] ?? '';
  const known = KNOWN[code] ?? KNOWN[word];
  if (known) return told(label, ...known);
  const said = /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : word;
  return told(label, `failed${said === '' ? ' or is no Redis' : ` (${said})`}`, 'Look at it and at REDIS_URL.');
}

export function notOurs(label: string): RedisFailure {
  return told(label, 'gave what nobody put there', 'See who else writes to keys strata:*; it was thrown away.');
}

export function tooLate(label: string, limitMs: number): RedisFailure {
  return told(
    label,
    `did not answer within ${limitMs} ms`,
    'Look at its load and the way there, and whether it expects TLS (rediss://).',
  );
}

function told(label: string, what: string, hint: string): RedisFailure {
  return { message: `The cache at ${label} ${what}.`, hint: `${hint} ${GOES_ON}` };
}
