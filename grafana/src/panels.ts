/**
 * The kinds of panel that the dashboards are made of. None is made without a title, a description that says what to think of
 * it, and a unit: whoever looks at three in the morning has nobody to ask.
 */

import { PanelBuilder as BarGaugePanel } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  type DataSourceRef,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  MappingType,
  type Panel as PanelModel,
  type SpecialValueMap,
  SpecialValueMatch,
  type ValueMap,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelinePanel } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries';
import { type Colours, plain } from './colours.ts';
import { prometheus, refTo } from './data-sources.ts';
import type { Target } from './targets.ts';

export type Panel = Builder<PanelModel>;

export interface PanelSpec {
  title: string;
  description: string;
  unit: string;
  /** Of 24 columns. */
  width: number;
  height: number;
  /** Prometheus unless told. */
  source?: DataSourceRef;
  targets: Target[];
}

interface Described {
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  span(width: number): this;
  height(height: number): this;
  datasource(source: DataSourceRef): this;
  targets(targets: Target['query'][]): this;
}

/** What every kind of panel is told. */
export function described<Kind extends Described>(panel: Kind, spec: PanelSpec): Kind {
  return panel
    .title(spec.title)
    .description(spec.description)
    .unit(spec.unit)
    .span(spec.width)
    .height(spec.height)
    .datasource(spec.source ?? refTo(prometheus))
    .targets(spec.targets.map(({ query }) => query));
}

const lastValue = (): ReduceDataOptionsBuilder => new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false);

export interface StatSpec extends Omit<PanelSpec, 'height'> {
  /** Default 4. */
  height?: number;
  colours?: Colours;
  decimals?: number;
  /** Shown where there is no series at all: that nothing is counted is not that nothing is there. */
  none: string;
}

/** One number. */
export function stat(spec: StatSpec): Panel {
  const panel = described(new StatPanel(), { ...spec, height: spec.height ?? 4 })
    .noValue(spec.none)
    .mappings([noNumber(spec.none)])
    .thresholds(spec.colours ?? plain())
    .colorMode(BigValueColorMode.Background)
    .graphMode(BigValueGraphMode.None)
    .textMode(BigValueTextMode.Value)
    .reduceOptions(lastValue());
  return spec.decimals === undefined ? panel : panel.decimals(spec.decimals);
}

/** A share of nothing is no number. */
const noNumber = (text: string): SpecialValueMap => ({
  type: MappingType.SpecialValue,
  options: { match: SpecialValueMatch.NullAndNan, result: { text, index: 0 } },
});

export interface GraphSpec extends PanelSpec {
  colours?: Colours;
  /** Stacked bars: what adds up to a whole. Lines otherwise. */
  stacked?: boolean;
  /** Finest step, where the data has one. */
  step?: string;
}

export function graph(spec: GraphSpec): Panel {
  const stacked = spec.stacked ?? false;
  const panel = described(new TimeSeriesPanel(), spec)
    .min(0)
    .drawStyle(stacked ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
    .fillOpacity(stacked ? 80 : 10)
    .lineWidth(1)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (spec.step !== undefined) panel.interval(spec.step);
  return spec.colours === undefined ? panel : panel.thresholds(spec.colours);
}

/** The largest few, with a bar each. */
export function ranking(spec: PanelSpec): Panel {
  return described(new BarGaugePanel(), spec)
    .noValue('none')
    .min(0)
    .decimals(0)
    .thresholds(plain())
    .orientation(VizOrientation.Horizontal)
    .reduceOptions(lastValue());
}

export interface TimelineSpec extends PanelSpec {
  /** Texts and colours of values. */
  states: Record<string, Shown>;
}

/** A band for each point, coloured by its state. */
export function timeline(spec: TimelineSpec): Panel {
  return described(new StateTimelinePanel(), spec)
    .mappings([shownAs(spec.states)])
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .lineWidth(0)
    .fillOpacity(80)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    );
}

export interface Shown {
  text: string;
  color: string;
}

/** What stands for a value. */
export const shownAs = (states: Record<string, Shown>): ValueMap => ({
  type: MappingType.ValueToText,
  options: Object.fromEntries(Object.entries(states).map(([value, shown], index) => [value, { ...shown, index }])),
});
