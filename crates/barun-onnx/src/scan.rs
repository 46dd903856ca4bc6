//! Loops: a scan of the engine as ONNX's `Scan`, its body translated like a graph of its own.

use barun_engine::graph::{Inst, Primitive, Scan};
use barun_engine::{Buffer, DType};

use crate::proto::{self, Attribute, Node};
use crate::translate::{Dim, Error, Translation, Value, operation_error, outer};

impl<'a> Translation<'a, '_> {
    /// The loop. Its results wait in `loops`; the value given back stands for all of them.
    pub(crate) fn scan(&mut self, at: usize, inst: &Inst, scan: &'a Scan) -> Result<Value, Error> {
        let operands = inst.operands.iter().map(|&operand| self.whole(operand));
        let mut inputs = operands.collect::<Result<Vec<_>, _>>()?;
        let constants: Vec<String> = inputs.drain(..scan.constants).collect();
        if inputs.len() == scan.carries {
            // A loop of ONNX takes its length from a sequence.
            let name = self.name(inst, "turns");
            inputs.push(self.constant(name, &Buffer::zeros([scan.length], DType::I64)).name);
        }
        let (body, results) = self.body(at, inst, scan, &constants)?;
        let (walked, stacked) = (inputs.len() - scan.carries, results.len() - scan.carries);
        let direction = |count: usize| vec![usize::from(scan.reverse); count];
        let attributes = vec![
            Attribute::graph("body", body),
            Attribute::int("num_scan_inputs", walked as i64),
            Attribute::ints("scan_input_directions", direction(walked)),
            Attribute::ints("scan_output_directions", direction(stacked)),
        ];
        let outputs = results.iter().map(|result| result.name.clone()).collect();
        let name = self.name(inst, "loop");
        self.nodes.push(Node { inputs, outputs, name: name.clone(), op: "Scan".to_string(), attributes });
        self.loops.insert(at, results);
        Ok(Value { name, has: self.shapes[at].clone() })
    }

    /// What one turn does, and the values that the loop gives. `constants` are the names of what is the same in each turn.
    fn body(
        &mut self,
        at: usize,
        inst: &Inst,
        scan: &'a Scan,
        constants: &[String],
    ) -> Result<(proto::Graph, Vec<Value>), Error> {
        let Primitive::Scan(large) = &self.large.nodes[at].op else { return Err(operation_error(inst)) };
        let mut names: Vec<String> = constants.to_vec();
        let mut inputs = Vec::new();
        for (position, &operand) in inst.operands.iter().enumerate().skip(scan.constants) {
            let is_carry = position < scan.constants + scan.carries;
            let name = self.name(inst, if is_carry { "carry" } else { "element" });
            let shape = &self.shapes[operand][usize::from(!is_carry)..];
            inputs.push(outer((&name, ""), shape, self.graph.nodes[operand].dtype));
            names.push(name);
        }
        if inputs.len() == scan.carries {
            let name = self.name(inst, "turn");
            inputs.push(outer((&name, ""), &[], DType::I64));
        }
        let results: Vec<String> = scan.body.outputs.iter().map(|_| self.name(inst, "scan")).collect();
        let inner: Vec<String> = results.iter().map(|_| self.name(inst, "next")).collect();

        let mut body = Translation::new(&scan.body, &large.body, self.shared, &[], |_| false)?;
        for (node, inst) in scan.body.nodes.iter().enumerate() {
            if let Primitive::Feed { index } = inst.op {
                let value = Value { name: names[index].clone(), has: body.shapes[node].clone() };
                body.made.insert(node, value);
            }
        }
        body.compute()?;
        let mut outputs = Vec::new();
        let mut given = Vec::new();
        for (index, &node) in scan.body.outputs.iter().enumerate() {
            outputs.push(body.output(node, (&inner[index], ""))?);
            let turns = (index >= scan.carries).then_some(Dim::Fixed(scan.length));
            let has = turns.into_iter().chain(body.shapes[node].iter().copied()).collect();
            given.push(Value { name: results[index].clone(), has });
        }
        let name = body_name(inst);
        Ok((proto::Graph { nodes: body.nodes, name, constants: Vec::new(), inputs, outputs }, given))
    }
}

/// What a loop's body is called: its layer.
fn body_name(inst: &Inst) -> String {
    match &*inst.origin.layer {
        "" => "turn".to_string(),
        layer => format!("{layer}/turn"),
    }
}
