import { ApiProperty } from '@nestjs/swagger';
import { ALL_CAPABILITIES, CAPABILITIES, type Capability } from '@app/queue';

const capabilitiesField = {
  description: `What it can do beyond what every backend can. A request that needs another is answered 501 \`capability-not-supported\`.\n\n${Object.entries(
    CAPABILITIES,
  )
    .map(([name, meaning]) => `- \`${name}\`: ${meaning}`)
    .join('\n')}`,
  enum: [...ALL_CAPABILITIES],
  isArray: true,
  example: ['tenants', 'ordering-keys', 'events'],
} as const;

/** What queues are on. */
export class BackendView {
  @ApiProperty({ description: 'What `FAIRLANE_BACKEND` calls it.', example: 'redis' })
  name!: string;

  @ApiProperty(capabilitiesField)
  capabilities!: Capability[];
}

/** What some queues are on. */
export class OtherBackendView extends BackendView {
  @ApiProperty({
    description: 'Which queues: names, or beginnings of names followed by `*`.',
    type: [String],
    example: ['legacy-*', 'reports'],
  })
  queues!: readonly string[];
}

/** The service. */
export class InfoView {
  @ApiProperty({ description: 'The version of Fairlane.', example: '0.1.0' })
  version!: string;

  @ApiProperty({ description: 'What all queues are on that are not named below.', type: BackendView })
  backend!: BackendView;

  @ApiProperty({ description: 'What the other queues are on.', type: [OtherBackendView] })
  otherBackends!: OtherBackendView[];
}
