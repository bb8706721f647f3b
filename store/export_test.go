package store

// AfterFreezeStep has do run after each step of every freeze, with the step's name.
func (s *Store) AfterFreezeStep(do func(step string)) { s.afterFreezeStep = do }
