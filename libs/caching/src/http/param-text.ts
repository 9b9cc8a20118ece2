/** Texts by name, whatever the router has made of wildcards. */
export type ParamTexts = Readonly<Record<string, string>>;

/**
 * The text of a path parameter. Of a wildcard, Express gives the decoded segments: they are joined by slashes, as in the
 * path, and a slash within one stays `%2F`, so that no two paths have the same text.
 */
export function paramText(value: unknown): string {
  return Array.isArray(value) ? value.map(segmentText).join('/') : String(value);
}

/** All parameters of a request as texts; the router's own object where they are already. */
export function paramTexts(params: Readonly<Record<string, unknown>>): ParamTexts {
  for (const name in params) if (Array.isArray(params[name])) return joined(params);
  return params as ParamTexts;
}

function joined(params: Readonly<Record<string, unknown>>): ParamTexts {
  const texts = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(params)) if (value !== undefined) texts[name] = paramText(value);
  return texts;
}

function segmentText(segment: unknown): string {
  return String(segment)
    .replace(/%(?=2f|25)/gi, '%25')
    .replaceAll('/', '%2F');
}
