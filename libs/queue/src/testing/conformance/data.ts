import { LIMITS } from '../../core/limits.js';
import type { NewTask } from '../../core/ports/producer.js';
import { newTask } from '../builders.js';
import { needs } from './needs.js';
import { only, useSubject, type Setup } from './subject.js';

export function describeData(setup: Setup): void {
  const subject = useSubject(setup);

  const payloads: [string, string][] = [
    ['an empty array and an empty object', '[[],{}]'],
    ['unicode of every plane', JSON.stringify('grüße 漢字 🦄 \u2028')],
    ['control characters', JSON.stringify('\u0000\u0001\n\r\t\u001c\u001d\u001e\u001f\u007f')],
    ['what looks like code', JSON.stringify(`'); redis.call('flushall') --`)],
  ];
  const texts: [string, string][] = [
    ['nothing but null', 'null'],
    ['numbers beyond doubles', '[12345678901234567890,1e400,0.1000000000000000055511151231257827]'],
    ['spaces and repeated names', '{ "a" : 1,\n "a":\t2 }'],
    ['deep nesting', '['.repeat(5_000) + ']'.repeat(5_000)],
  ];
  const title = 'returns %s byte for byte, as payload, result and progress';
  it.each(payloads)(title, (_, text) => returns(text));
  needs('exact-json').it.each(texts)(title, (_, text) => returns(text));
  it.each(texts)('returns %s byte for byte, as payload', async (_, text) => {
    await subject.addOne({ payload: text });
    expect((await subject.takeOne()).payload).toBe(text);
  });
  const returns = async (text: string) => {
    const task = await subject.addOne({ payload: text });
    expect(task.payload).toBe(text);
    const leased = await subject.takeOne();
    expect(leased.payload).toBe(text);
    await subject.queue.extend([{ ...leased, progress: text }], 5_000);
    await subject.complete(leased, text);
    expect(await subject.get(task.id)).toMatchObject({ payload: text, result: text, progress: text });
  };

  it('tells an absent payload from a payload of null or of empty text', async () => {
    const [absent, nothing, empty] = await subject.add(
      { payload: undefined },
      { payload: 'null' },
      { payload: '""' },
    );
    expect((await subject.get(absent?.id ?? '')).payload).toBeUndefined();
    expect((await subject.get(nothing?.id ?? '')).payload).toBe('null');
    expect((await subject.get(empty?.id ?? '')).payload).toBe('""');
  });

  it('takes payload and result of the greatest length, counted in bytes', async () => {
    const fits = JSON.stringify('é'.repeat(LIMITS.payloadBytesMax / 2 - 1));
    expect(Buffer.byteLength(fits)).toBe(LIMITS.payloadBytesMax);
    const leased = await subject.start({ payload: fits });
    expect(leased.payload === fits).toBe(true);
    await subject.complete(leased, fits);
    const task = await subject.get(leased.id);
    expect(task.payload === fits && task.result === fits).toBe(true);
    await expect(
      subject.queue.enqueue([newTask({ queue: subject.name, payload: `${fits} ` })]),
    ).rejects.toMatchObject({ code: 'invalid-task', data: { pointer: '/payload' } });
  });

  needs('tenants', 'metadata', 'combined-lists').it(
    'takes tags, metadata, key and tenant of the greatest size',
    async () => {
      const printable = Array.from({ length: 93 }, (_, i) => String.fromCharCode(33 + i)).join('');
      const given: Partial<NewTask> = {
        key: printable + 'x'.repeat(35),
        tenant: printable + 'y'.repeat(35),
        tags: Array.from({ length: LIMITS.tagsMax }, (_, i) => `${i}`.padEnd(64, '}')),
        metadata: Object.fromEntries(
          Array.from({ length: LIMITS.metadataEntriesMax }, (_, i) => [
            `${i}`.padEnd(64, '_'),
            '漢"\u001f\n~ '.padEnd(LIMITS.metadataValueCharsMax, 'ü'),
          ]),
        ),
      };
      const { key, ...kept } = given;
      const task = await subject.addOne(given);
      expect(task).toMatchObject({ ...kept, id: `${subject.name}~${key}` });
      expect(await subject.get(task.id)).toEqual(task);
      expect(await subject.takeOne()).toMatchObject({ ...kept, id: task.id });
      const page = await subject.queue.list({
        queue: subject.name,
        order: 'oldest',
        limit: 10,
        tenant: given.tenant,
      });
      expect(only(page.items)).toMatchObject(kept);
    },
  );

  describe('names', () => {
    const harmless = [
      '__proto__', 'constructor', 'toString', '*', '?', '[a-z]*', '{', '}', '{}', '{a}b', ':', 'a:b', '::', '%s', '%1',
      '\\', '"', "'", '$0', '../..', '-', '|', '0', '-1', 'nil', 'pending', '<script>',
    ]; // prettier-ignore
    needs('free-keys', 'tenants', 'ordering-keys', 'idempotency-keys', 'metadata', 'combined-lists').it.each(
      harmless,
    )('%s is a tenant and a task key like any other', async (name) => {
      const bystander = await subject.addOne({ key: 'bystander', tenant: 'bystander' });
      const task = await subject.addOne({
        key: name,
        tenant: name,
        tags: [name],
        idempotency: { key: name, fingerprint: 'f' },
        orderingKey: name,
      });
      await subject.configureTenant(name, { weight: 2 });
      expect(await subject.get(task.id)).toEqual(task);
      expect(await subject.tenant(name)).toMatchObject({
        tenant: name,
        settings: { weight: 2 },
        backlog: 1,
      });
      const page = await subject.queue.list({
        queue: subject.name,
        order: 'oldest',
        limit: 10,
        tenant: name,
        tag: name,
      });
      expect(page.items.map(({ id }) => id)).toEqual([task.id]);
      const leased = (await subject.take(2)).find(({ id }) => id === task.id);
      expect(leased).toMatchObject({ id: task.id, tenant: name });
      await subject.queue.settle([{ id: task.id, leaseToken: leased?.leaseToken ?? '', action: 'complete' }]);
      expect(await subject.stateOf(task.id)).toBe('completed');
      expect(await subject.stateOf(bystander.id)).toBe('running');
    });

    needs('metadata', 'statistics').it.each([
      '__proto__',
      'constructor',
      'meta',
      'wake',
      'default',
      '.',
      '..',
      '-',
      '0',
    ])('%s is a queue, a type and a metadata name like any other', async (name) => {
      const metadata = Object.fromEntries([[name, 'kept']]);
      const queue = `${subject.name}.${name}`;
      const [task] = await subject.add({ queue, type: name, metadata }, { type: name, metadata });
      const read = await subject.get(task?.id ?? '');
      expect(Object.entries(read.metadata)).toEqual([[name, 'kept']]);
      const [overview] = await subject.queue.overview([queue]);
      expect(Object.entries(overview?.types ?? {})).toEqual([
        [name, expect.objectContaining({ pending: 1 })],
      ]);
      expect(await subject.take(1, { queue })).toHaveLength(1);
      expect(({} as Record<string, unknown>)['kept']).toBeUndefined();
    });

    needs('type-routes').it.each(['__proto__', 'constructor'])(
      '%s is a queue and a route by itself',
      async (name) => {
        const [outcome] = await subject.queue.enqueue([newTask({ queue: name })]);
        expect(outcome).toMatchObject({ status: 'accepted', task: { queue: name } });
        await subject.queue.announceTypes(Object.fromEntries([[name, subject.name]]));
        const [routed] = await subject.queue.enqueue([newTask({ type: name })]);
        expect(routed).toMatchObject({ task: { queue: subject.name } });
      },
    );

    it('an inherited property of objects is not a route', async () => {
      const [outcome] = await subject.queue.enqueue([
        newTask({ type: 'valueOf' }),
        newTask({ type: 'hasOwnProperty' }),
      ]);
      expect(outcome).toMatchObject({ task: { queue: 'default' } });
    });

    const bad: [string, Partial<NewTask>, string][] = [
      ['a queue with a space', { queue: 'a b' }, '/queue'],
      ['an empty queue', { queue: '' }, '/queue'],
      ['a queue with a glob', { queue: '*' }, '/queue'],
      ['a queue with a brace', { queue: 'a{b}' }, '/queue'],
      ['a queue with a colon', { queue: 'a:b' }, '/queue'],
      ['a queue with a tilde', { queue: 'a~b' }, '/queue'],
      ['a queue with a line break at its end', { queue: 'a\n' }, '/queue'],
      ['a queue that is too long', { queue: 'q'.repeat(65) }, '/queue'],
      ['a type with a space', { type: 'a b' }, '/type'],
      ['a type with a separator', { type: 'a|b' }, '/type'],
      ['an empty key', { key: '' }, '/id'],
      ['a key with a tilde', { key: 'a~b' }, '/id'],
      ['a key with a space', { key: 'a b' }, '/id'],
      ['a key outside ASCII', { key: 'ü' }, '/id'],
      ['a key that is too long', { key: 'k'.repeat(129) }, '/id'],
      ['a tenant with a control character', { tenant: 'a\u001fb' }, '/tenant'],
      ['a tenant with a space', { tenant: ' ' }, '/tenant'],
      ['a tag with a space', { tags: ['ok', 'not ok'] }, '/tags/1'],
      ['an ordering key with a tilde', { orderingKey: 'a~b' }, '/orderingKey'],
      ['an empty ordering key', { orderingKey: '' }, '/orderingKey'],
      [
        'an idempotency key with a space',
        { idempotency: { key: 'a b', fingerprint: 'f' } },
        '/idempotencyKey',
      ],
    ];
    it.each(bad)('%s is refused', async (_, task, pointer) => {
      await expect(subject.queue.enqueue([newTask({ queue: subject.name, ...task })])).rejects.toMatchObject({
        code: 'invalid-task',
        data: { pointer },
      });
    });

    needs('tenants', 'drain', 'combined-lists').it.each(['a b', '*', 'a{b}', 'a~b', ''])(
      '"%s" is no queue for any operation',
      async (name) => {
        const { queue } = subject;
        const invalid = { kind: 'invalid' };
        await expect(subject.take(1, { queue: name })).rejects.toMatchObject(invalid);
        await expect(queue.list({ queue: name, order: 'oldest', limit: 1 })).rejects.toMatchObject(invalid);
        await expect(queue.overview([name])).rejects.toMatchObject(invalid);
        await expect(queue.settings(name)).rejects.toMatchObject(invalid);
        await expect(queue.tenants(name, 1)).rejects.toMatchObject(invalid);
        await expect(queue.tenant(name, 'a')).rejects.toMatchObject(invalid);
        await expect(queue.configure(name, {})).rejects.toMatchObject(invalid);
        await expect(queue.configureTenant(name, 'a', {})).rejects.toMatchObject(invalid);
        await expect(queue.pause(name)).rejects.toMatchObject(invalid);
        await expect(queue.resume(name)).rejects.toMatchObject(invalid);
        await expect(queue.drain(name)).rejects.toMatchObject(invalid);
        await expect(queue.purge({ queue: name, state: 'waiting' })).rejects.toMatchObject(invalid);
        await expect(queue.deleteQueue(name)).rejects.toMatchObject(invalid);
        await expect(queue.promote(name)).rejects.toMatchObject(invalid);
        await expect(queue.reap(name)).rejects.toMatchObject(invalid);
        await expect(queue.prune(name)).rejects.toMatchObject(invalid);
        await expect(queue.waitForWork([name], 1)).rejects.toMatchObject(invalid);
        const request = { ...subject.request(1), queue: name };
        await expect(queue.waitAndLease(request, 1)).rejects.toMatchObject(invalid);
      },
    );

    needs('tenants', 'stealing').it.each(['', 'a b', '~', 'ü', 'x'.repeat(129)])(
      '"%s" is no tenant for any operation',
      async (tenant) => {
        const { queue, name } = subject;
        const invalid = { kind: 'invalid' };
        await expect(subject.take(1, { tenants: [tenant] })).rejects.toMatchObject(invalid);
        await expect(subject.take(1, { steal: [tenant] })).rejects.toMatchObject(invalid);
        await expect(queue.tenant(name, tenant)).rejects.toMatchObject(invalid);
        await expect(queue.configureTenant(name, tenant, {})).rejects.toMatchObject(invalid);
        await expect(queue.pause(name, tenant)).rejects.toMatchObject(invalid);
        await expect(queue.resume(name, tenant)).rejects.toMatchObject(invalid);
        await expect(queue.purge({ queue: name, state: 'pending', tenant })).rejects.toMatchObject(invalid);
        await expect(queue.waitForWork([name], 1, undefined, [tenant])).rejects.toMatchObject(invalid);
      },
    );

    it.each(['', 'nonsense', '~', 'a~', '~b', 'a~b~c', 'a b~c', 'a~b c', 'a~ü'])(
      '"%s" is no task id for any operation',
      async (id) => {
        const { queue } = subject;
        const invalid = { code: 'invalid-task-id' };
        await expect(queue.get([id])).rejects.toMatchObject(invalid);
        await expect(queue.logs(id)).rejects.toMatchObject(invalid);
        await expect(queue.waitForEnd(id, 1)).rejects.toMatchObject(invalid);
        await expect(queue.cancel([id])).rejects.toMatchObject(invalid);
        await expect(queue.retry([id])).rejects.toMatchObject(invalid);
        await expect(queue.update([{ id, priority: 1 }])).rejects.toMatchObject(invalid);
        await expect(queue.remove([id])).rejects.toMatchObject(invalid);
        await expect(queue.extend([{ id, leaseToken: 't' }], 5_000)).rejects.toMatchObject(invalid);
        await expect(queue.settle([{ id, leaseToken: 't', action: 'complete' }])).rejects.toMatchObject(
          invalid,
        );
      },
    );
  });
}
