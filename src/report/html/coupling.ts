import type { EChartsOption } from 'echarts';
import type { GroupSummary } from '../../analysis/inspect.js';
import type { GroupOutcome } from '../../pipeline/result.js';

/** Links that are drawn: beyond it, only those of weights that produce or sum away a group. */
const manyLinks = 800;

/** And at most so many. */
const mostLinks = 3000;

/** Nodes beyond which they move closer together. */
const dense = 400;

export interface Coupling {
  readonly option: EChartsOption;
  /** Links that are not drawn. */
  readonly hidden: number;
}

/** Groups and the tensors they run through; a group is as large as its channels are many, and red as it lost them. */
export function couplingChart(groups: readonly GroupSummary[], outcomes: readonly GroupOutcome[]): Coupling {
  const keptOf = new Map(outcomes.map(({ id, kept }) => [id, kept]));
  const links = groups.flatMap(({ id, members }) => members.map((member) => ({ id, ...member })));
  const contractions =
    links.length > manyLinks ? links.filter(({ role }) => role === 'produce' || role === 'contract') : links;
  const drawn = contractions.slice(0, mostLinks);
  const tensors = new Set(drawn.map(({ tensor }) => tensor));
  const nodes = [
    ...groups.map(({ id, name, size }) => {
      const kept = keptOf.get(id) ?? size;
      return {
        id,
        name: `${id} ${name}`,
        category: kept === size ? 1 : 0,
        value: `${kept} of ${size} channels kept`,
        symbolSize: 8 + 3 * Math.log2(size),
      };
    }),
    ...[...tensors].map((tensor) => ({
      id: `tensor ${tensor}`,
      name: tensor,
      category: 2,
      value: 'weights',
      symbolSize: 6,
    })),
  ];
  return {
    hidden: links.length - drawn.length,
    option: {
      tooltip: { confine: true },
      legend: { top: 0 },
      series: [
        {
          type: 'graph',
          layout: 'force',
          roam: true,
          zoom: fittingZoom(nodes.length),
          draggable: true,
          top: 36,
          categories: [
            { name: 'pruned group', itemStyle: { color: '#f59e0b' } },
            { name: 'whole group', itemStyle: { color: '#94a3b8' } },
            { name: 'tensor', itemStyle: { color: '#2563eb' } },
          ],
          data: nodes,
          links: drawn.map(({ id, tensor, role, axis }) => ({
            source: id,
            target: `tensor ${tensor}`,
            value: `${role}@${axis}`,
          })),
          force: {
            repulsion: nodes.length > dense ? 30 : 70,
            edgeLength: nodes.length > dense ? 20 : 40,
            gravity: 0.15,
            friction: 0.4,
            layoutAnimation: false,
          },
          emphasis: { focus: 'adjacency', label: { show: true, position: 'right' } },
          lineStyle: { opacity: 0.4 },
          scaleLimit: { min: 0.3, max: 12 },
        },
      ],
    } as EChartsOption,
  };
}

/** About what shows all nodes: the area they spread over grows with their number. */
function fittingZoom(nodes: number): number {
  const fitting = nodes > dense ? 280 : 70;
  return Number(Math.min(1, Math.sqrt(fitting / nodes)).toFixed(2));
}
