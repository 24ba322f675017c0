/** The API as a program in any language uses it: fetch and JSON. */
export interface Answer<Body = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface TaskBody {
  id: string;
  state: string;
  attempt: number;
  crashes: number;
  startedAt?: string;
  runAt?: string;
  result?: unknown;
  errors: { code?: string; message: string }[];
}

export async function request<Body = Record<string, unknown>>(
  url: string,
  {
    method = 'GET',
    body,
    headers = {},
  }: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer<Body>> {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as Body,
  };
}

export function post<Body = Record<string, unknown>>(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<Body>> {
  return request<Body>(url, { method: 'POST', body, headers });
}

/** Waits, by the API's own long poll, until the task is in a terminal state. */
export async function ended(apiUrl: string, id: string, headers?: Record<string, string>): Promise<TaskBody> {
  for (;;) {
    const url = `${apiUrl}/v1/tasks/${encodeURIComponent(id)}?wait=10`;
    const { body, status } = await request<TaskBody>(url, { headers });
    if (status === 200 && ['completed', 'failed', 'cancelled', 'expired'].includes(body.state)) return body;
  }
}

interface QueueBody {
  states: Record<string, number>;
}

export async function countsOf(apiUrl: string, queue: string): Promise<Record<string, number>> {
  return (await request<QueueBody>(`${apiUrl}/v1/queues/${queue}`)).body.states;
}
