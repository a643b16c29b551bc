"""Which errors of a section are told, beside those that params.yaml itself is tested for."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from specflow.section_errors import problems_of


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")
    num_epochs: int


@pytest.mark.parametrize("unwanted", [(), ("num_epohcs",), ("num_epochs",)])
def test_missing_key_is_told_where_its_misspelling_is_not(unwanted):
    data = {"num_epohcs": 1}
    with pytest.raises(ValidationError) as raised:
        Section.model_validate(data)
    found = problems_of(raised.value, Section, data, lambda keys: keys[-1] not in unwanted)
    missing = "num_epochs: missing; expected a value"
    unknown = "num_epohcs: unknown key (value 1); expected one of num_epochs (did you mean "
    assert len(found) == 1
    assert found[0].startswith(missing if "num_epohcs" in unwanted else unknown)
