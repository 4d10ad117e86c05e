//! Merging classes, the cheapest merge first.

use super::{Limits, ideal_cost};

/// Merges classes with these counts until the limits stop it; returns how many are left and
/// renumbers `map`.
pub(super) fn merge(counts: &[u64], alphabet: usize, limits: Limits, map: &mut [u8]) -> usize {
    let mut merger = Merger::new(counts, alphabet);
    while let Some((loss, from, into)) = merger.cheapest() {
        let whole: u64 = merger.live.iter().map(|&class| merger.costs[class]).sum();
        let worth = (whole / limits.worth).max(limits.floor_bits << 8);
        if merger.live.len() <= limits.classes && loss >= worth as i64 {
            break;
        }
        merger.join(from, into);
        map.iter_mut().filter(|class| usize::from(**class) == from).for_each(|c| *c = into as u8);
    }
    let place = |class: u8| merger.live.iter().position(|&live| live == usize::from(class));
    map.iter_mut().for_each(|class| *class = place(*class).unwrap_or(0) as u8);
    merger.live.len()
}

struct Merger {
    alphabet: usize,
    counts: Vec<u64>,
    costs: Vec<u64>,
    /// `losses[a * n + b]`, `a > b`: what merging the two costs.
    losses: Vec<i64>,
    /// For every class the lower one that it merges with most cheaply, after what that costs.
    partners: Vec<(i64, usize)>,
    live: Vec<usize>,
}

/// What merging with nobody costs.
const ALONE: (i64, usize) = (i64::MAX, 0);

impl Merger {
    fn new(counts: &[u64], alphabet: usize) -> Self {
        let costs: Vec<u64> =
            counts.chunks_exact(alphabet).map(|c| ideal_cost(c.iter().copied())).collect();
        let n = costs.len();
        let (counts, losses, live) = (counts.to_vec(), vec![0; n * n], (0..n).collect());
        let mut merger = Self { alphabet, counts, costs, losses, partners: vec![ALONE; n], live };
        for a in 0..n {
            (0..a).for_each(|b| merger.weigh(a, b));
            merger.partners[a] = merger.partner(a);
        }
        merger
    }

    fn counts(&self, class: usize) -> &[u64] {
        &self.counts[class * self.alphabet..][..self.alphabet]
    }

    fn weigh(&mut self, a: usize, b: usize) {
        let joined = ideal_cost(self.counts(a).iter().zip(self.counts(b)).map(|(a, b)| a + b));
        let place = a.max(b) * self.costs.len() + a.min(b);
        self.losses[place] = joined as i64 - (self.costs[a] + self.costs[b]) as i64;
    }

    fn partner(&self, a: usize) -> (i64, usize) {
        let losses = &self.losses[a * self.costs.len()..];
        let below = self.live.iter().take_while(|&&b| b < a);
        below.map(|&b| (losses[b], b)).min().unwrap_or(ALONE)
    }

    /// The cheapest merge: its loss, the class that goes and the lower one that stays.
    fn cheapest(&self) -> Option<(i64, usize, usize)> {
        let with_partner = self.live.iter().skip(1);
        let merges = with_partner.map(|&a| (self.partners[a].0, a, self.partners[a].1));
        merges.min()
    }

    fn join(&mut self, from: usize, into: usize) {
        for symbol in 0..self.alphabet {
            self.counts[into * self.alphabet + symbol] +=
                self.counts[from * self.alphabet + symbol];
        }
        self.costs[into] = ideal_cost(self.counts(into).iter().copied());
        self.live.retain(|&class| class != from);
        for place in 0..self.live.len() {
            let other = self.live[place];
            if other != into {
                self.weigh(other, into);
            }
            let (loss, partner) = self.partners[other];
            if other == into || partner == from || partner == into {
                self.partners[other] = self.partner(other);
            } else if other > into {
                let now = self.losses[other * self.costs.len() + into];
                self.partners[other] = (loss, partner).min((now, into));
            }
        }
    }
}
