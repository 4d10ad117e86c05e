//! What the fields of a file are.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::block::BLOCK_SYMBOLS;
use crate::cut::SEGMENT_SYMBOLS;
use crate::error::{Error, Result};
use crate::segment::Form;
use crate::{Alphabet, Axes, Cut, Level};

/// Most fields of a file: their numbers have 16 bits.
const MAX_FIELDS: usize = 1 << 16;

/// Most samples of a group, however small they are.
pub(super) const MAX_GROUP_SAMPLES: u64 = 1 << 20;

/// Symbols of all fields together up to which a group takes samples.
pub(super) const GROUP_SYMBOLS: u64 = 1 << 26;

/// Most axes of a sample: numpy's arrays have up to 64, one of which is that of the samples.
const MAX_SAMPLE_AXES: usize = 63;

/// The fields of a file, in order, and what its writer says about it.
///
/// Serialised as JSON. `attributes`, `dtype` and `metadata` are free-form JSON that is kept as it
/// came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schema {
    /// The name of a [`Level`]; absent asks for the default.
    #[serde(default = "default_level")]
    pub level: String,
    /// At least one; names differ.
    pub fields: Vec<FieldSchema>,
    /// Most samples in a group; absent or 0 asks for the default.
    #[serde(default)]
    pub group_samples: u64,
    /// How the dataset is spread over files, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Shards>,
    /// About the whole file.
    #[serde(default = "null")]
    pub metadata: Box<RawValue>,
}

/// What the shards that one writer made have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shards {
    /// A shard ends with the group that brings it to this size.
    pub bytes: u64,
    /// Number of the first of them.
    pub first: u64,
}

/// One named array; its first axis, the samples, is not part of the shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldSchema {
    /// Free text.
    pub name: String,
    /// Of a coded field the bit width of its codes, 1 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// Of a coded field, whether its codes are two's complement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
    /// Of a side field the bytes of an element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_bytes: Option<u32>,
    /// Of a side field what its elements are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<Box<RawValue>>,
    /// Shape of one sample; the first extent is null if it differs from sample to sample.
    pub sample_shape: Vec<Option<u64>>,
    /// Axes of a coded field's sample; absent or null asks for those of its shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axes: Option<FieldAxes>,
    /// Samples, or first indices of ragged ones, in a block, all but the last; absent or 0 asks for
    /// the default.
    #[serde(default)]
    pub block_items: u64,
    /// About this field.
    #[serde(default = "null")]
    pub attributes: Box<RawValue>,
}

/// The axes of a sample that coding looks at, see [`Axes`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FieldAxes {
    /// The channels' axis.
    pub channel: Option<usize>,
    /// The first and the second neighbour axis.
    pub neighbours: [Option<usize>; 2],
}

/// How a field is stored.
#[derive(Clone, Debug)]
pub enum Coding {
    /// Integer codes.
    Codes(Form),
    /// The bytes of an array's elements.
    Raw(Cut),
}

impl Coding {
    /// Where blocks begin and end.
    pub fn cut(&self) -> &Cut {
        match self {
            Self::Codes(form) => &form.cut,
            Self::Raw(cut) => cut,
        }
    }

    /// Whether each code is its own symbol.
    pub(super) fn symbols_are_codes(&self) -> bool {
        match self {
            Self::Codes(form) => form.alphabet.symbols_are_codes(),
            Self::Raw(_) => true,
        }
    }

    /// Number of different symbols; 0 for a side field.
    pub(super) fn alphabet_size(&self) -> usize {
        match self {
            Self::Codes(form) => form.alphabet.size(),
            Self::Raw(_) => 0,
        }
    }
}

fn default_level() -> String {
    let (name, _) = Level::ALL.iter().find(|(_, l)| *l == Level::default()).expect("it is listed");
    name.to_string()
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl Schema {
    /// Reads and checks a schema, fills in defaults, and says how each field is stored.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] says what is wrong with it.
    pub fn from_json(json: &str) -> Result<(Self, Vec<Coding>)> {
        let mut schema: Self = serde_json::from_str(json)
            .map_err(|e| Error::argument("schema", e, "be JSON that describes the fields"))?;
        let count = schema.fields.len();
        if !(1..=MAX_FIELDS).contains(&count) {
            return Err(Error::argument("number of fields", count, "be 1 to 65,536"));
        }
        let level = Level::by_name(&schema.level)?;
        let mut names = HashSet::new();
        let mut codings = Vec::with_capacity(count);
        for field in &mut schema.fields {
            codings.push(field.check(level)?);
            if !names.insert(field.name.clone()) {
                return Err(Error::argument("field name", &field.name, "occur once only"));
            }
        }
        let default = default_group_samples(&schema, &codings);
        if schema.group_samples == 0 {
            schema.group_samples = default;
        }
        if schema.group_samples > MAX_GROUP_SAMPLES {
            let expected = format!("be at most {MAX_GROUP_SAMPLES}");
            return Err(Error::argument("samples in a group", schema.group_samples, expected));
        }
        Ok((schema, codings))
    }

    /// The schema as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialise")
    }
}

/// As many samples as fit into one segment of every field, in whole blocks of the largest field;
/// ragged fields are looked at as they come.
fn default_group_samples(schema: &Schema, codings: &[Coding]) -> u64 {
    let fields = schema.fields.iter().zip(codings).filter(|(field, _)| !field.ragged());
    let cuts: Vec<&Cut> = fields.map(|(_, coding)| coding.cut()).collect();
    let total: u64 = cuts.iter().map(|cut| cut.item_len() as u64).sum();
    let Some(largest) = cuts.iter().max_by_key(|cut| cut.item_len()) else {
        return MAX_GROUP_SAMPLES;
    };
    let samples = (SEGMENT_SYMBOLS / largest.item_len().max(1)) as u64;
    let samples = samples.min(GROUP_SYMBOLS / total.max(1)).clamp(1, MAX_GROUP_SAMPLES);
    let block = largest.block_items() as u64;
    if samples > block { samples - samples % block } else { samples }
}

impl FieldSchema {
    /// Whether the first extent differs from sample to sample.
    pub fn ragged(&self) -> bool {
        self.sample_shape.first() == Some(&None)
    }

    fn check(&mut self, level: Level) -> Result<Coding> {
        let name = self.name.clone();
        self.checked(level).map_err(|error| match error {
            Error::InvalidArgument { name: what, value, expected } => {
                let value = format!("{value} in field {name:?}");
                Error::InvalidArgument { name: what, value, expected }
            }
            other => other,
        })
    }

    fn checked(&mut self, level: Level) -> Result<Coding> {
        if self.sample_shape.len() > MAX_SAMPLE_AXES {
            let axes = self.sample_shape.len();
            return Err(Error::argument("number of axes of a sample", axes, "be at most 63"));
        }
        let extents = &self.sample_shape[usize::from(self.ragged())..];
        let shape = extents.iter().map(|&len| usize::try_from(len?).ok());
        let Some(mut shape) = shape.collect::<Option<Vec<usize>>>() else {
            let shape = format!("{:?}", self.sample_shape);
            return Err(Error::argument("sample shape", shape, "leave only the first extent open"));
        };
        let coding = match (self.bits, self.item_bytes) {
            (Some(bits), None) => {
                let alphabet = Alphabet::new(bits, self.signed.unwrap_or(false))?;
                let axes = self.named_axes();
                self.signed = Some(alphabet.signed());
                let [channel, first, second] =
                    [axes.channel, axes.neighbours[0], axes.neighbours[1]];
                self.axes = Some(FieldAxes { channel, neighbours: [first, second] });
                let cut = self.cut(&shape, axes, level.block_symbols())?;
                Coding::Codes(Form { level, alphabet, cut })
            }
            (None, Some(bytes @ 1..)) => {
                shape.push(bytes as usize);
                Coding::Raw(self.cut(&shape, Axes::default(), BLOCK_SYMBOLS)?)
            }
            _ => {
                let expected = "have either bits or item_bytes of 1 or more";
                return Err(Error::argument("field", &self.name, expected));
            }
        };
        self.block_items = coding.cut().block_items() as u64;
        Ok(coding)
    }

    fn cut(&self, item_shape: &[usize], axes: Axes, cap: usize) -> Result<Cut> {
        let cut = match self.ragged() {
            true => Cut::flat(item_shape, axes, cap)?,
            false => Cut::samples(item_shape, axes, cap)?,
        };
        match usize::try_from(self.block_items).unwrap_or(usize::MAX) {
            0 => Ok(cut),
            items => cut.with_block_items(items),
        }
    }

    fn named_axes(&self) -> Axes {
        match self.axes {
            Some(FieldAxes { channel, neighbours }) => Axes { channel, neighbours },
            None => {
                let shape: Vec<usize> = vec![1; self.sample_shape.len()];
                let mut axes = Axes::of_shape(&shape);
                if self.ragged() && axes.channel == Some(0) {
                    // Tokens without an axis of their own, or images of differing depth.
                    axes.channel = None;
                    if shape.len() == 1 {
                        axes.neighbours = [Some(0), None];
                    }
                }
                axes
            }
        }
    }
}
