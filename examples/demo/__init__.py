"""One story on real parts: a cloud (moto's server), real boto3, real processes, a person who decides."""
