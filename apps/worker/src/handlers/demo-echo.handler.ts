import { Handler, type TaskHandler } from './handler.js';

/** Returns its payload, whatever it is: for trying out. */
@Handler({ type: 'demo.echo' })
export class DemoEchoHandler implements TaskHandler<unknown> {
  run(payload: unknown): unknown {
    return payload;
  }
}
